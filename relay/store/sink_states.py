"""Read how all sinks stand. One that nothing waits for costs two commands."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis

from relay.store.commands import run_command
from relay.store.home_gates import HomeGates
from relay.store.keys import Keys, sink_queue
from relay.store.queues import SinkState, read_sink_state
from relay.store.scripts import Caller, Script

SINKS_AT_ONCE: Final = 50  # read in one call, of at most a dozen commands each
_FIRSTS, _HASHES = range(7, 10), range(10, 12)  # places in an answer: the first of sets, and hashes
_GATE: Final = 10
_NOTHING: Final = (*[0] * 7, *[[]] * 3, [])  # what stands before the outcomes of a sink that nothing waits for
_READ_SINKS = Script("read_sinks")


async def read_sink_states(client: Redis, keys: Keys, gates: HomeGates | None, now: int) -> list[SinkState]:
    """Read the state of every sink that was ever registered. Raises StoreUnavailable.

    `gates`: what reads the gates of sinks whose home is another shard; None where there is one shard.
    """
    async with client.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.sinks)
        pipe.hgetall(keys.max_pending)
        types, bounds = await run_command(pipe.execute())
    names, found, call = [name.decode() for name in types], list[list[Any]](), Caller(client, keys.prefix)
    for at in range(0, len(names), SINKS_AT_ONCE):
        answers = await call(_READ_SINKS, {"sinks": names[at : at + SINKS_AT_ONCE]})
        found += map(_parse, answers)
    if gates is not None:
        of_homes = await gates.read(list(map(sink_queue, names)), [one[_GATE] for one in found])
        for one, gate in zip(found, of_homes, strict=True):
            one[_GATE] = gate
    most = {name.decode(): int(n) for name, n in bounds.items()}
    return [
        read_sink_state(name, kind.decode(), one, now, most.get(name))
        for (name, kind), one in zip(zip(names, types.values(), strict=True), found, strict=True)
    ]


def _parse(answer: Sequence[Any]) -> list[Any]:
    """Return what the script answers of a sink, as commands of their own would answer it."""
    found = list(answer) if len(answer) > 1 else [*_NOTHING, *answer]
    for place in _FIRSTS:
        found[place] = [(id, float(score)) for id, score in _pairs(found[place]).items()]
    for place in _HASHES:
        found[place] = _pairs(found[place])
    return found


def _pairs(flat: Sequence[bytes]) -> Mapping[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
