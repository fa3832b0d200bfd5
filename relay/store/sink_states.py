"""Read how all sinks stand: with one list of commands for each, whose answers are read by their places."""

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis

from relay.store.commands import run_command
from relay.store.home_gates import HomeGates
from relay.store.keys import Keys, sink_queue
from relay.store.queues import SinkState, read_sink_state

COMMANDS: Final = 12  # that read the state of one
LEASED, GATE = 2, 10  # the places of two of them
SINKS_AT_ONCE: Final = 50  # read in one call


async def read_sink_states(client: Redis, keys: Keys, gates: HomeGates | None, now: int) -> list[SinkState]:
    """Read the state of every sink that was ever registered. Raises StoreUnavailable.

    `gates`: what reads the gates of sinks whose home is another shard; None where there is one shard.
    """
    async with client.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.sinks)
        pipe.hgetall(keys.max_pending)
        types, bounds = await run_command(pipe.execute())
    names, found = [name.decode() for name in types], list[Any]()
    for at in range(0, len(names), SINKS_AT_ONCE):
        found += await _read_some(client, keys, names[at : at + SINKS_AT_ONCE], leases=gates is not None)
    if gates is not None:
        found[GATE::COMMANDS] = await gates.read(list(map(sink_queue, names)), found[GATE::COMMANDS])
        found[LEASED::COMMANDS] = map(_count_own, found[LEASED::COMMANDS])
    most = {name.decode(): int(n) for name, n in bounds.items()}
    return [
        read_sink_state(name, kind.decode(), found[COMMANDS * n : COMMANDS * (n + 1)], now, most.get(name))
        for n, (name, kind) in enumerate(zip(names, types.values(), strict=True))
    ]


async def _read_some(client: Redis, keys: Keys, names: Sequence[str], *, leases: bool) -> list[Any]:
    """Read what tells the state of some sinks. `leases`: which deliveries are leased, and not only how many."""
    async with client.pipeline(transaction=False) as pipe:
        for name in names:
            queue = sink_queue(name)
            pipe.zcard(keys.pending(name))
            pipe.zcard(keys.due(queue))
            if leases:
                pipe.zrange(keys.leased(queue), 0, -1)
            else:
                pipe.zcard(keys.leased(queue))
            pipe.zcard(keys.held(name))
            pipe.zcard(keys.dead(name))
            pipe.zcard(keys.put_off(name))
            pipe.zcard(keys.ordered(name))
            pipe.zrange(keys.due(queue), 0, 0, withscores=True)
            pipe.zrange(keys.pending(name), 0, 0, withscores=True)
            pipe.zrange(keys.put_off(name), 0, 0, withscores=True)
            pipe.hgetall(keys.gate(queue))
            pipe.hgetall(keys.outcomes(name))
        found: list[Any] = await run_command(pipe.execute())
    return found


def _count_own(leased: Sequence[bytes]) -> int:
    """Return how many of a sink's leases are of this shard: a home lends slots to the others."""
    return sum(not id.startswith(b"lent|") for id in leased)
