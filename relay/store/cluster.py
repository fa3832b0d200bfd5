"""Ask the nodes of a cluster where the store is: all its keys are in one slot, that of its namespace."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.crc import key_slot
from redis.exceptions import ConnectionError, RedisError, ResponseError

from relay.store.keys import Keys

ASK_SECONDS: Final = 0.5  # a node that hangs must leave time for the others, and for the store


class ClusterNodes:
    """The nodes of a cluster, those first that answered last. `open` makes a connection to one, by host and port."""

    def __init__(
        self, namespace: str, nodes: Sequence[tuple[str, int]], open: Callable[[str, int], AbstractConnection]
    ) -> None:
        self._slot = key_slot(Keys(namespace).prefix.encode())
        self._given = list(nodes)
        self._known = list(nodes)
        self._open = open

    async def find_store(self) -> tuple[str, int]:
        """Return host and port of the slot's primary. Raises redis-py's ConnectionError where no node knows it.

        Nothing is kept open: a process connects to its store once, and then when that has moved.
        """
        failures = []
        for host, port in list(dict.fromkeys([*self._known, *self._given])):
            try:
                nodes = await self._ask(host, port)
            except (RedisError, OSError) as error:
                failures.append(f"{host}:{port}: {error or type(error).__name__}")
                continue
            self._known = list(dict.fromkeys([(host, port), *nodes, *self._known]))[: 2 * len(nodes) + 2]
            return nodes[0]
        raise ConnectionError(f"no node of the cluster knows where the store is: {'; '.join(failures)}")

    async def read_texts(self, keys: Sequence[str]) -> list[bytes]:
        """Return what stands under keys in any slots, as far as the nodes answer that have them."""
        found: list[bytes] = []
        for (host, port), of_node in (await self._by_node(keys)).items():
            try:
                answers = await self._exchange(host, port, [("GET", key) for key in of_node])
            except (RedisError, OSError):
                continue
            found += [answer for answer in answers if isinstance(answer, bytes)]
        return found

    async def _by_node(self, keys: Sequence[str]) -> dict[tuple[str, int], list[str]]:
        """Return of each primary which of some keys are in its slots; of none where no node answers."""
        for host, port in self._given:
            try:
                ((*ranges,),) = await self._exchange(host, port, [("CLUSTER", "SLOTS")])
            except (RedisError, OSError):
                continue
            found: dict[tuple[str, int], list[str]] = {}
            for key in keys:
                slot = key_slot(key.encode())
                for first, last, primary, *_ in ranges:
                    if first <= slot <= last:
                        found.setdefault((_text(primary[0]) or host, int(primary[1])), []).append(key)
            return found
        return {}

    async def _exchange(self, host: str, port: int, commands: Sequence[tuple[str, ...]]) -> list[Any]:
        """Return what a node answers to commands, over a connection that is closed behind them."""
        connection = self._open(host, port)
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py leaves it so
            answers: list[Any] = []
            for command in commands:
                await connection.send_command(*command)
                answers.append(await connection.read_response())
            return answers
        finally:
            await connection.disconnect(nowait=True)

    async def _ask(self, host: str, port: int) -> list[tuple[str, int]]:
        """Return the nodes that have the slot, its primary first, as one node knows them."""
        try:
            (ranges,) = await self._exchange(host, port, [("CLUSTER", "SLOTS")])
        except ResponseError as error:
            if "cluster support disabled" in str(error):
                raise ConnectionError("it is no node of a cluster, write redis:// for a single server") from error
            raise
        for first, last, *nodes in ranges:
            if first <= self._slot <= last:
                return [
                    (_text(node[0]) or host, int(node[1])) for node in nodes
                ]  # without a name: the one that was asked
        raise ConnectionError(f"no node has slot {self._slot}, which the store is")


def _text(name: bytes | str | None) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""
