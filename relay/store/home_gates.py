"""Read the gates of sinks where there are several shards: each is in the home of its sink, whatever shard is read."""

from collections.abc import Callable, Mapping, Sequence

from redis.asyncio import Redis

from relay.errors import StoreUnavailable
from relay.store.commands import run_command
from relay.store.keys import Keys

Gates = Sequence[Mapping[bytes, bytes]]


class HomeGates:
    """Of one shard; `home_of` returns the shard that is a sink's home, None where that is not known.

    `connect_to` returns the client and the keys of a shard.
    """

    def __init__(
        self, shard: str, home_of: Callable[[str], str | None], connect_to: Callable[[str], tuple[Redis, Keys]]
    ) -> None:
        self._shard = shard
        self._home_of = home_of
        self._connect_to = connect_to

    async def read(self, queues: Sequence[str], own: Gates) -> Gates:
        """Return the fields of the gates of these queues; `own`: as the shard itself has them.

        Where a home is away its gates are not known: they are as the shard has them.
        """
        found, places = list(own), dict[str, list[int]]()
        for place, queue in enumerate(queues):
            kind, _, sink = queue.partition(":")
            home = self._home_of(sink) if kind == "sink" else None
            if home is not None and home != self._shard:
                places.setdefault(home, []).append(place)
        for home, of_home in places.items():
            try:
                gates = await self._read_home(home, [queues[place] for place in of_home])
            except StoreUnavailable:
                continue
            for place, gate in zip(of_home, gates, strict=True):
                found[place] = gate
        return found

    async def _read_home(self, home: str, queues: Sequence[str]) -> Gates:
        client, keys = self._connect_to(home)
        async with client.pipeline(transaction=False) as pipe:
            for queue in queues:
                pipe.hgetall(keys.gate(queue))
            gates: Gates = await run_command(pipe.execute())
        return gates
