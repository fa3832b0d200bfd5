"""What a store knows of its relay's configuration: which sources, sinks and facts there are, or ever were."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from redis.asyncio import Redis

from relay.store.commands import run_command
from relay.store.keys import Keys
from relay.store.requests import register_request
from relay.store.scripts import Caller, Script

_REGISTER, _FORGET_SINKS = Script("register"), Script("forget_sinks")
_STRINGS = msgspec.msgpack.Decoder(list[str])


class Registry:
    """The names in one relay's store. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str) -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def add_sources(self, sources: Iterable[str], shares: Mapping[str, float] | None = None) -> None:
        """Remember the sources, by which a relay knows its store again, and the format that it writes.

        `shares`: which share of the store the hooks of each may take; None: as it was said before.
        """
        await self._call(_REGISTER, register_request(sources, shares=shares))

    async def add_sinks(self, sinks: Mapping[str, str], max_pending: Mapping[str, int] | None = None) -> None:
        """Remember the sinks, name -> type: one that leaves the configuration keeps its deliveries, as an orphan.

        `max_pending`: how many pending deliveries each may have; what is over that is put off.
        """
        await self._call(_REGISTER, register_request(sinks=sinks, max_pending=max_pending))

    async def sources(self) -> set[str]:
        """Read the names of the sources that were ever registered."""
        return {name.decode() for name in await run_command(self._client.smembers(self._keys.sources))}

    async def add_facts(self, facts: Mapping[str, str]) -> None:
        """Remember which facts routes ask for, kind -> how (`Config.facts`): the scripts write these, and no others."""
        await self._call(_REGISTER, register_request(facts=facts))

    async def forget_sinks(self, sinks: Sequence[str]) -> list[str]:
        """Forget sinks of subscriptions that are gone. Returns those of which nothing was left to do."""
        return _STRINGS.decode(await self._call(_FORGET_SINKS, {"sinks": sinks}))
