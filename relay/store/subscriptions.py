"""Who subscribed through the amoCRM-compatible API: durable records of each source, changed by one script each."""

from collections.abc import Collection

import msgspec
from redis.asyncio import Redis

from relay.errors import LimitReached
from relay.model import Subscription
from relay.store.commands import run_command
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script

MAX_ACTIVE = 100  # of one account, as in amoCRM
MAX_KEPT = 1_000  # with the disabled ones, which would otherwise pile up
_SUBSCRIBE, _UNSUBSCRIBE = Script("subscribe", "_subscriptions"), Script("unsubscribe", "_subscriptions")
_SET_DISABLED = Script("set_subscription_disabled", "_subscriptions")
MOST_FAILURES, FAILURES_WITHIN_MS = 100, 2 * 3600 * 1000  # "more than 100 failures in 2 hours and the last one failed"
_LIMITS = {
    "active": f"the account has {MAX_ACTIVE} active webhooks, the most it may have: remove one that is not needed",
    "total": f"the account has {MAX_KEPT:,} webhooks with the disabled ones: remove some of those",
}


class Subscriptions:
    """The subscriptions of one relay. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self.client = client
        self.keys = Keys(namespace)
        self._call = Caller(client, self.keys.prefix)

    async def subscribe(
        self, source: str, url: str, events: Collection[str], by: str, name: str = "", sort: int | None = None
    ) -> Subscription:
        """Add events to the subscription of an address, which is made where it is new and turned on where disabled.

        Raises LimitReached.
        """
        return await self._subscribe(source, url, events, by, name, sort, replace=False)

    async def replace(
        self, source: str, url: str, events: Collection[str], by: str, name: str = "", sort: int | None = None
    ) -> Subscription:
        """Do as `subscribe`, but leave the subscription with these events only. Raises LimitReached."""
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
            "total": MAX_KEPT,
        }
        limit, record = _SUBSCRIBED.decode(await self._call(_SUBSCRIBE, request))
        if isinstance(record, bool):
            raise LimitReached(_LIMITS[limit])
        return record

    async def unsubscribe(
        self, source: str, url: str | None = None, events: Collection[str] = (), by: str = ""
    ) -> list[str]:
        """Take events from subscriptions, or all of them where none are named. One that has no events left is gone.

        Without an address those subscriptions are meant that `by` made. Answers the addresses that were subscribed,
        without an address those that lost an event.
        """
        request = {"source": source, "url": url or "", "events": sorted(events), "by": by}
        return _STRINGS.decode(await self._call(_UNSUBSCRIBE, request))

    async def disable(self, id: int, reason: str) -> bool:
        """Stop sending to a subscription. False: it is gone, or was disabled already."""
        return await self._switch(id, True, reason)

    async def enable(self, id: int) -> bool:
        """Turn a disabled subscription on again. False: it is gone, or was on already. Raises LimitReached."""
        return await self._switch(id, False, "")

    async def record_failure(self, id: int, reason: str) -> bool:
        """Note that a call to it failed. True: that was one of more than 100 in two hours, and now it is disabled."""
        return await self._switch(id, True, reason, over=MOST_FAILURES)

    async def _switch(self, id: int, disabled: bool, reason: str, over: int = 0) -> bool:
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

    async def version(self) -> int:
        """Return a number that every change of any subscription makes larger."""
        return int(await run_command(self.client.hget(self.keys.subscriptions, "version")) or 0)

    async def get(self, id: int) -> Subscription | None:
        """Return one subscription, or None where it is gone."""
        place = await run_command(self.client.hget(self.keys.subscriptions, f"id:{id}"))
        if place is None:
            return None
        source, _, url = place.decode().partition(" ")
        packed = await run_command(self.client.hget(self.keys.subscriptions_of(source), url))
        # Between the two calls it may have gone, or been made anew under another id.
        found = _SUBSCRIPTION.decode(packed) if packed else None
        return found if found and found.id == id else None

    async def list(self, source: str) -> tuple[Subscription, ...]:
        """Return the subscriptions of a source in the order of `sort`, the oldest first."""
        found = [_SUBSCRIPTION.decode(packed) for packed in await run_command(self.client.hvals(self._of(source)))]
        return tuple(sorted(found, key=lambda subscription: (subscription.sort, subscription.id)))

    async def sources(self) -> tuple[str, ...]:
        """Name the sources that have subscriptions, those that left the configuration too."""
        index = await run_command(self.client.hgetall(self.keys.subscriptions))
        return tuple(sorted({place.decode().partition(" ")[0] for n, place in index.items() if n.startswith(b"id:")}))

    def _of(self, source: str) -> str:
        return self.keys.subscriptions_of(source)


_SUBSCRIPTION = msgspec.msgpack.Decoder(Subscription)
_SUBSCRIBED = msgspec.msgpack.Decoder(tuple[str, Subscription | bool])
_STRINGS = msgspec.msgpack.Decoder(list[str])
_STRING = msgspec.msgpack.Decoder(str)
