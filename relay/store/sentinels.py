"""Ask Sentinels where the store is."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

ASK_SECONDS: Final = 0.5  # one that hangs must leave time for the others, and for the store


class Sentinels:
    """The Sentinels of a store, those first that answered last."""

    def __init__(self, name: str, addresses: Sequence[tuple[str, int]], connection: Mapping[str, Any]) -> None:
        self._name = name
        self._addresses = list(addresses)
        self._connection = {
            **connection,
            "socket_timeout": ASK_SECONDS,
            "socket_connect_timeout": ASK_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        }

    async def find_store(self) -> tuple[str, int]:
        """Return host and port of the primary. Raises redis-py's ConnectionError where no Sentinel knows one.

        Nothing is kept open: a process connects to its store once, and then when that has moved.
        """
        sentinel: Any = Sentinel  # redis-py leaves it untyped
        async with sentinel(self._addresses, sentinel_kwargs=self._connection) as asked:
            host, port = await asked.discover_master(self._name)
            pools = [client.connection_pool.connection_kwargs for client in asked.sentinels]
        self._addresses = [(pool["host"], pool["port"]) for pool in pools]
        return str(host), int(port)
