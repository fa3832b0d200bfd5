"""What operators do to subscriptions, by command, page or API: the same checks, and each act stands in the audit."""

import time
from collections.abc import Sequence

import uuid_utils

from relay.amocrm.events import encode_event
from relay.amocrm.sample_event import sample_event
from relay.config.config import Config
from relay.config.proxy_environment import NO_PROXIES, ProxyRules
from relay.config.suggestions import did_you_mean
from relay.errors import RelayError
from relay.masking import mask_query
from relay.model import Account, AnyJson, Outcome, Record, Subscription
from relay.sinks.ssrf_guard import open_guarded_session, url_refusal
from relay.sinks.subscriber.sink import SubscriberSink
from relay.store.acts import Acts, Author
from relay.store.subscriptions import Subscriptions
from relay.transport import TransportFailure, body_text, call
from relay.web.subscriptions.errors import format_field_errors
from relay.web.subscriptions.requests import SubscriptionRequest

_MOST_SHOWN = 500  # bytes of an answer


class SampleAnswer(Record):
    """What came of a sample event: the answer, or why there is none. `took_ms`: milliseconds."""

    event: str
    delivered: bool
    status: int | None
    reason: str
    took_ms: int
    answer: str
    request: AnyJson


async def get_subscription(subscriptions: Subscriptions, id: int) -> Subscription:
    """Return a subscription. Raises RelayError where there is none."""
    if subscription := await subscriptions.get(id):
        return subscription
    raise RelayError(f"no subscription {id}: `relay subscriptions list` shows all that there are")


class OperatorActs:
    """The acts. Every method raises RelayError where it cannot be, and StoreUnavailable."""

    def __init__(self, subscriptions: Subscriptions, acts: Acts, author: Author) -> None:
        self._subscriptions = subscriptions
        self._acts = acts
        self._author = author

    async def subscribe(
        self, config: Config, source: str, url: str, events: Sequence[str], name: str, *, replace: bool = False
    ) -> Subscription:
        """Subscribe an address, and enable it. `replace`: to these events only; else they are added."""
        request = SubscriptionRequest(url=url, events=events, name=name)
        if errors := [*request.url_errors(config.subscribers.allow), *request.event_errors()]:
            raise RelayError(format_field_errors(errors))
        if not events:
            raise RelayError("events: at least one is needed: without any nothing would be sent")
        if source not in config.sources:
            raise RelayError(f"unknown source {source}, {did_you_mean(source, config.sources)}")
        before = {one.url: one for one in await self._subscriptions.list(source)}.get(url)
        subscribe = self._subscriptions.replace if replace else self._subscriptions.subscribe
        made = await subscribe(source, url, events, "", name)
        await self._note("subscribe", made, before)
        return made

    async def unsubscribe(self, id: int, events: Sequence[str] = ()) -> Subscription | None:
        """Take these events from a subscription, or without any remove it. Returns what is left of it."""
        if errors := SubscriptionRequest(url="", events=events).event_errors():
            raise RelayError(format_field_errors(errors))
        subscription = await get_subscription(self._subscriptions, id)
        await self._subscriptions.unsubscribe(subscription.source, subscription.url, events)
        await self._note("unsubscribe", subscription, subscription)
        return await self._subscriptions.get(id)

    async def enable(self, id: int) -> Subscription:
        """Enable a subscription: what waits for it is then sent."""
        subscription = await get_subscription(self._subscriptions, id)
        if await self._subscriptions.enable(id):
            await self._note("enable", subscription, subscription)
        return await get_subscription(self._subscriptions, id)

    async def disable(self, id: int) -> Subscription:
        """Send a subscription nothing until it is enabled: its deliveries wait."""
        subscription = await get_subscription(self._subscriptions, id)
        reason = f"by {self._author.by}" + (f": {self._author.why}" if self._author.why else "")
        if await self._subscriptions.disable(id, reason):
            await self._note("disable", subscription, subscription)
        return await get_subscription(self._subscriptions, id)

    async def test(self, config: Config, id: int, event: str = "", proxies: ProxyRules = NO_PROXIES) -> SampleAnswer:
        """Send a subscriber a sample of an event at once, by default of its first one. Nothing is stored of it."""
        subscription = await get_subscription(self._subscriptions, id)
        name = event or min(subscription.events)
        if name not in subscription.events:
            raise RelayError(f"{id} is not subscribed to {name}, {did_you_mean(name, subscription.events)}")
        await self._note("test", subscription, subscription)
        return await _send_sample(config, subscription, self._subscriptions, name, proxies)

    async def _note(self, act: str, subscription: Subscription, before: Subscription | None) -> None:
        state = "" if before is None else "disabled" if before.disabled else "enabled"
        await self._acts.note(act, f"subscription {subscription.id}", self._author, state)


async def _send_sample(
    config: Config, subscription: Subscription, subscriptions: Subscriptions, name: str, proxies: ProxyRules
) -> SampleAnswer:
    """Send a sample of an event as a delivery would be sent, and return the answer. A failure is not counted."""
    source = config.sources.get(subscription.source)
    account = Account(subdomain=source.account.subdomain, id=source.account.id) if source else Account()
    id, now = str(uuid_utils.uuid7()), time.time_ns() // 1_000_000
    sink = SubscriberSink(subscription, config.subscribers, subscriptions)
    content = encode_event(sample_event(name, subscription.source, account, id, now))
    request = sink.request(content, id)
    if refusal := url_refusal(subscription.url, config.subscribers.allow):
        raise RelayError(f"its address is not allowed: {refusal}")
    async with open_guarded_session(lambda: config.subscribers.allow, proxies=proxies) as session:
        began = time.monotonic()
        answer = await call(session, request)
        took_ms = round((time.monotonic() - began) * 1000)
    result = sink.read(answer)
    return SampleAnswer(
        event=name,
        delivered=result.outcome is Outcome.DELIVERED,
        status=result.status,
        reason=result.reason,
        took_ms=took_ms,
        answer="" if isinstance(answer, TransportFailure) else body_text(answer, _MOST_SHOWN),
        request={**sink.describe(content), "url": mask_query(subscription.url)},
    )
