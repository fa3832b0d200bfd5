"""Open connections to the store."""

import asyncio
import builtins
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Self, TypeVar

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError, MasterDownError, MovedError, ReadOnlyError, TimeoutError
from redis.maint_notifications import MaintNotificationsConfig

from relay import __version__
from relay.config.store_options import cluster_options, redis_options, sentinel_options
from relay.store.cluster import ASK_SECONDS, ClusterNodes
from relay.store.connections import ConnectionsInTurn, with_exchange
from relay.store.sentinels import Sentinels

CONNECT_SECONDS = 1.5
# What a server answers that is a replica now, or from which the store has moved.
NO_MASTER: Final = (ReadOnlyError, MasterDownError, MovedError)
_repeated: ContextVar[bool] = ContextVar("repeated", default=True)
T = TypeVar("T")


def connect(url: str, *, answer_seconds: float, connections: int = 8) -> Redis:
    """Return a client that waits `answer_seconds` for an answer.

    A call whose connection was closed, or leads to a server that is no master any more, is repeated once within that
    time over a new connection: a store may close what is idle, and its name may mean another server since. All calls
    are harmless to repeat, but those that are `not_repeated`.
    More is not repeated here: only the caller knows for how long it may be tried.
    """
    pool = _make_pool(url, answer_seconds, connections)
    pool.connection_kwargs["retry"] = RepeatOnce(answer_seconds, pool.drop)
    pool.connection_class = with_exchange(pool.connection_class)
    if (sentinels := sentinel_options(url)) is not None:
        pool.connection_class = _led_by(Sentinels(*sentinels), pool.connection_class)
    if (cluster := cluster_options(url)) is not None:
        pool.connection_class = _led_by(ClusterNodes(*cluster, _opener(pool)), pool.connection_class)
    return Redis.from_pool(pool)


def nodes_of(url: str) -> ClusterNodes | None:
    """Return the nodes of a cluster, to ask them something quick; None where the address is of no cluster."""
    cluster = cluster_options(url)
    return None if cluster is None else ClusterNodes(*cluster, _opener(_make_pool(url, ASK_SECONDS, 1)))


def _make_pool(url: str, answer_seconds: float, connections: int) -> ConnectionsInTurn:
    address, tls = redis_options(url)
    return ConnectionsInTurn.from_url(
        address,
        **tls,
        max_connections=connections,
        timeout=answer_seconds,
        socket_timeout=answer_seconds,
        socket_connect_timeout=min(CONNECT_SECONDS, answer_seconds),
        health_check_interval=0,
        # While it listens for these, redis-py takes a connection that the server has closed for a good one.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        # For CLIENT LIST; else redis-py reads its own version from the packages on the disk, in every process.
        driver_info=DriverInfo(name="amo-relay", lib_version=__version__),
    )


def _opener(pool: ConnectionPool) -> Callable[[str, int], AbstractConnection]:
    """Return what makes a connection to a node, with the user and the TLS of the store, to ask it something quick."""
    kind: type[Any] = pool.connection_class
    settings = dict(pool.connection_kwargs)
    waits = {"socket_timeout": ASK_SECONDS, "socket_connect_timeout": ASK_SECONDS, "retry": Retry(NoBackoff(), 0)}
    return lambda host, port: kind(**{**settings, **waits, "host": host, "port": port})


@contextmanager
def not_repeated() -> Iterator[None]:
    """Send what is called within this once: who repeats it must say so to the store."""
    token = _repeated.set(False)
    try:
        yield
    finally:
        _repeated.reset(token)


class RepeatOnce(Retry):
    """Repeats a call once, for as long as its caller waits. Without state: all connections of a pool share it."""

    def __init__(self, patience_seconds: float, drop: Callable[[], Awaitable[None]]) -> None:
        super().__init__(NoBackoff(), 1, (ConnectionError, *NO_MASTER))
        self._patience_seconds = patience_seconds
        self._drop = drop

    def __deepcopy__(self, _: dict[int, object]) -> Self:
        return self  # every connection asks for a copy of its own

    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[T]],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> T:
        """Call `do`, and once more where that may help; `fail` closes the connection."""
        began = time.monotonic()
        try:
            return await do()
        except (ConnectionError, *NO_MASTER) as error:
            if is_retryable is not None and not is_retryable(error):
                raise
            if isinstance(error, NO_MASTER):
                await self._drop()
            await (fail(error, 1) if with_failure_count else fail(error))
            if isinstance(error, ConnectionError) and not _repeated.get():
                raise
            left = self._patience_seconds - (time.monotonic() - began)
            if left <= 0:
                raise
        try:
            async with asyncio.timeout(left):
                return await do()
        except builtins.TimeoutError as error:
            raise TimeoutError("no answer in time over a new connection") from error


def _led_by(guide: Sentinels | ClusterNodes, kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return a connection class that goes to where the Sentinels, or nodes, say that the store is now."""

    class Led(kind):  # type: ignore[misc,valid-type]
        async def _connect(self) -> None:
            self.host, self.port = await guide.find_store()
            await super()._connect()

    return Led
