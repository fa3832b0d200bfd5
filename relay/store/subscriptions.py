"""Store the subscriptions made through the amoCRM-compatible API. Each change is one script."""

from collections.abc import Awaitable, Callable, Collection, Sequence

import msgspec
from redis.asyncio import Redis

from relay.errors import LimitReached
from relay.model import Subscription
from relay.store.commands import run_command
from relay.store.fields import SubscriptionsField
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script

MAX_ACTIVE = 100  # of one account, as in amoCRM
MAX_TOTAL = 1_000  # with the disabled ones, whose number nothing else bounds
_PARTS = ("_history", "_subscriptions")
_SUBSCRIBE, _UNSUBSCRIBE = Script("subscribe", *_PARTS), Script("unsubscribe", *_PARTS)
_SET_DISABLED = Script("set_subscription_disabled", *_PARTS)
MOST_FAILURES, FAILURES_WITHIN_MS = 100, 2 * 3600 * 1000  # "more than 100 failures in 2 hours and the last one failed"
_LIMITS = {
    "active": f"the account has {MAX_ACTIVE} active webhooks, the most it may have: remove one that is not needed",
    "total": f"the account has {MAX_TOTAL:,} webhooks with the disabled ones: remove some of those",
}


class Subscriptions:
    """The subscriptions of one relay. Every method raises StoreUnavailable."""

    def __init__(
        self, client: Redis, namespace: str = "relay", give_id: Callable[[], Awaitable[int]] | None = None
    ) -> None:
        self.client = client
        self._give_id = give_id  # of a further shard: where the first one's is
        self.keys = Keys(namespace)
        self._call = Caller(client, self.keys.prefix)

    async def subscribe(
        self, source: str, url: str, events: Collection[str], by: str, name: str = "", sort: int | None = None
    ) -> Subscription:
        """Add events to the subscription of an address; make it where it is new, enable it where it is disabled.

        Raises LimitReached.
        """
        return await self._subscribe(source, url, events, by, name, sort, replace=False)

    async def replace(
        self, source: str, url: str, events: Collection[str], by: str, name: str = "", sort: int | None = None
    ) -> Subscription:
        """Do as `subscribe`, but with these events in place of those before. Raises LimitReached."""
        return await self._subscribe(source, url, events, by, name, sort, replace=True)

    async def _subscribe(
        self, source: str, url: str, events: Collection[str], by: str, name: str, sort: int | None, *, replace: bool
    ) -> Subscription:
        request = {
            "source": source,
            "url": url,
            "name": name,
            "events": sorted(events),
            "replace": replace,
            "sort": sort,
            "by": by,
            "active": MAX_ACTIVE,
            "total": MAX_TOTAL,
            "id": 0 if self._give_id is None else await self._give_id(),
        }
        limit, record = _SUBSCRIBED.decode(await self._call(_SUBSCRIBE, request))
        if isinstance(record, bool):
            raise LimitReached(_LIMITS[limit])
        return record

    async def unsubscribe(
        self, source: str, url: str | None = None, events: Collection[str] = (), by: str = ""
    ) -> list[str]:
        """Take events from the subscription of an address, or without one from all that `by` made.

        Without events, all are taken. A subscription that has none left is removed. Returns the addresses that were
        subscribed, without an address those that lost an event.
        """
        request = {"source": source, "url": url or "", "events": sorted(events), "by": by}
        return _STRINGS.decode(await self._call(_UNSUBSCRIBE, request))

    async def disable(self, id: int, reason: str) -> bool:
        """Stop sending to a subscription. False: it is gone, or was disabled already."""
        return await self._set_disabled(id, True, reason)

    async def enable(self, id: int) -> bool:
        """Enable a disabled subscription. False: it is gone, or was enabled already. Raises LimitReached."""
        return await self._set_disabled(id, False, "")

    async def record_failure(self, id: int, reason: str) -> bool:
        """Record that a call to it failed. True: there were more than 100 in two hours, and now it is disabled."""
        return await self._set_disabled(id, True, reason, over=MOST_FAILURES)

    async def _set_disabled(self, id: int, disabled: bool, reason: str, over: int = 0) -> bool:
        request = {
            "id": id,
            "disabled": disabled,
            "reason": reason,
            "active": MAX_ACTIVE,
            "over": over,
            "per_ms": FAILURES_WITHIN_MS,
        }
        answer = _STRING.decode(await self._call(_SET_DISABLED, request))
        if answer in _LIMITS:
            raise LimitReached(_LIMITS[answer])
        return not answer

    async def give_id(self) -> int:
        """Return the id for one more subscription, in this shard or in another. Not each of them is used."""
        return int(await run_command(self.client.hincrby(self.keys.subscriptions, SubscriptionsField.LAST_ID, 1)))

    async def version(self) -> int:
        """Return a number that rises with every change of any subscription."""
        return int(await run_command(self.client.hget(self.keys.subscriptions, SubscriptionsField.VERSION)) or 0)

    async def get(self, id: int) -> Subscription | None:
        """Return one subscription, or None where it is gone."""
        place = await run_command(self.client.hget(self.keys.subscriptions, f"{SubscriptionsField.PLACE}{id}"))
        if place is None:
            return None
        source, _, url = place.decode().partition(" ")
        packed = await run_command(self.client.hget(self.keys.subscriptions_of(source), url))
        # Between the two calls it may have been removed, and another made for its address.
        found = _SUBSCRIPTION.decode(packed) if packed else None
        return found if found and found.id == id else None

    async def list(self, source: str) -> tuple[Subscription, ...]:
        """Return the subscriptions of a source in the order of `sort`, the oldest first."""
        records = await run_command(self.client.hvals(self.keys.subscriptions_of(source)))
        subscriptions = [_SUBSCRIPTION.decode(packed) for packed in records]
        return tuple(sorted(subscriptions, key=lambda subscription: (subscription.sort, subscription.id)))

    async def list_all(self, source: str = "") -> Sequence[Subscription]:
        """Return the subscriptions of a source, or where it is empty of all, also of those not configured any more."""
        names = [source] if source else await self.sources()
        return [subscription for name in names for subscription in await self.list(name)]

    async def sources(self) -> tuple[str, ...]:
        """Return the names of the sources that have subscriptions, also of those that left the configuration."""
        fields = await run_command(self.client.hgetall(self.keys.subscriptions))
        prefix = SubscriptionsField.PLACE.encode()
        return tuple(sorted({place.decode().partition(" ")[0] for n, place in fields.items() if n.startswith(prefix)}))


_SUBSCRIPTION = msgspec.msgpack.Decoder(Subscription)
_SUBSCRIBED = msgspec.msgpack.Decoder(tuple[str, Subscription | bool])
_STRINGS = msgspec.msgpack.Decoder(list[str])
_STRING = msgspec.msgpack.Decoder(str)
