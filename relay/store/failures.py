"""Held and dead deliveries grouped by cause, as the scripts list them."""

from collections.abc import Sequence
from typing import Final

from redis.asyncio import Redis

from relay.model import DeliveryState, Record
from relay.store.commands import run_command
from relay.store.keys import Keys

_SAMPLES: Final = 3


class FailureCause(Record):
    """A cause for which deliveries of a sink are held or dead. `first`, `last`: when they became so, in ms."""

    sink: str
    id: str  # the filter `cause` takes it
    state: DeliveryState
    cause: str  # a reason, with # for the numbers that differ
    count: int
    first: int
    last: int
    samples: Sequence[str]  # ids, the newest first


async def read_failures(client: Redis, namespace: str, sinks: Sequence[str]) -> list[FailureCause]:
    """Read the causes of some sinks' failures, the most frequent first. Raises StoreUnavailable."""
    keys = Keys(namespace)
    async with client.pipeline(transaction=False) as pipe:
        for sink in sinks:
            pipe.hgetall(keys.causes(sink))
        found = await run_command(pipe.execute()) if sinks else []
        named = [
            (sink, cause.decode(), text.decode(errors="replace"))
            for sink, causes in zip(sinks, found, strict=True)
            for cause, text in causes.items()
        ]
        for sink, cause, _ in named:
            key = keys.failed(sink, cause)
            pipe.zcard(key)
            pipe.zrange(key, 0, 0, withscores=True)
            pipe.zrevrange(key, 0, _SAMPLES - 1, withscores=True)
        counted = await run_command(pipe.execute()) if named else []
    failures = []
    for n, (sink, cause, text) in enumerate(named):
        count, oldest, newest = counted[3 * n : 3 * n + 3]
        if not count:  # it has ended meanwhile
            continue
        state, _, reason = text.partition("|")
        failures.append(
            FailureCause(
                sink=sink, id=cause, state=DeliveryState(state), cause=reason, count=count, first=int(oldest[0][1]),
                last=int(newest[0][1]), samples=[id.decode() for id, _ in newest],
            )
        )  # fmt: skip
    return sorted(failures, key=lambda one: -one.count)
