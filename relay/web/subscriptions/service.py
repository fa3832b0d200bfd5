"""Do for an API user what was asked, item by item: the part that v1 and v2 share."""

from collections.abc import Callable, Collection

from relay.config.api_users import ApiUser
from relay.config.scalars import TrustedHost
from relay.errors import LimitReached
from relay.logs import log
from relay.model import Json, Subscription
from relay.store.subscriptions import Subscriptions
from relay.web.subscriptions.errors import format_faults
from relay.web.subscriptions.requests import SubscriptionRequest

Items = list[dict[str, Json]]


class SubscriptionService:
    """Subscribes and unsubscribes. What stands in the way of one item is its notice, and no matter of the others."""

    def __init__(self, subscriptions: Subscriptions, trusted: Callable[[], Collection[TrustedHost]]) -> None:
        self._subscriptions = subscriptions
        self._trusted = trusted

    async def subscribe(self, user: ApiUser, wanted: list[SubscriptionRequest]) -> Items:
        """Add events to addresses, making subscriptions where there are none."""
        return [_answer(item.url, await self._subscribe(user, item)) for item in wanted]

    async def _subscribe(self, user: ApiUser, item: SubscriptionRequest) -> str:
        if faults := [*item.url_faults(self._trusted()), *item.event_faults()]:
            return format_faults(faults)
        try:
            made = await self._subscriptions.subscribe(user.source, item.url, item.events, user.login, item.name)
        except LimitReached as limit:
            return str(limit)
        log.info("subscription.made", source=user.source, subscription=made.id, events=len(made.events))
        return ""

    async def unsubscribe(self, user: ApiUser, wanted: list[SubscriptionRequest]) -> Items:
        """Take events from addresses.

        No events: all of the address's. No address: every subscription that this login made, an item for each.
        """
        return [answer for item in wanted for answer in await self._unsubscribe(user, item)]

    async def _unsubscribe(self, user: ApiUser, item: SubscriptionRequest) -> Items:
        if faults := item.event_faults():
            return [_answer(item.url, format_faults(faults))]
        gone = await self._subscriptions.unsubscribe(user.source, item.url or None, item.events, user.login)
        if gone:
            log.info("subscription.removed", source=user.source, addresses=len(gone), events=len(item.events) or "all")
            return [_answer(url, "") for url in gone]
        nobody = "is not subscribed" if item.url else "no webhook that this login made has one of these events"
        return [_answer(item.url, nobody)]

    async def listed(self, user: ApiUser) -> Items:
        """Return all subscriptions of the user's account."""
        return [_listed(one) for one in await self._subscriptions.list(user.source)]


def _answer(url: str, notice: str) -> dict[str, Json]:
    return {"url": url, "result": False, "notice": notice} if notice else {"url": url, "result": True}


def _listed(one: Subscription) -> dict[str, Json]:
    named: dict[str, Json] = {"name": one.name} if one.name else {}
    return {"id": one.id, "url": one.url, "events": sorted(one.events), "disabled": one.disabled, **named}
