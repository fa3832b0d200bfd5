"""Open connections to the store."""

from typing import Any

import hiredis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from relay.config.store_address import redis_options

CONNECT_SECONDS = 1.5


def connect(url: str, *, answer_seconds: float, connections: int = 8) -> Redis:
    """Return a client that waits `answer_seconds` for an answer and repeats nothing by itself.

    Scripts are harmless to repeat, but only the caller knows for how long it may be tried.
    """
    address, tls = redis_options(url)
    pool = BlockingConnectionPool.from_url(
        address,
        **tls,
        max_connections=connections,
        timeout=answer_seconds,
        socket_timeout=answer_seconds,
        socket_connect_timeout=min(CONNECT_SECONDS, answer_seconds),
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
    )
    pool.connection_class = _packing(pool.connection_class)
    return Redis.from_pool(pool)


def _packing(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return a connection class whose commands hiredis packs: redis-py takes a microsecond and more for an argument."""

    class Packing(kind):  # type: ignore[misc,valid-type]
        def pack_command(self, *args: Any) -> list[bytes]:
            name, *rest = args
            return [hiredis.pack_command((*name.split(), *rest))]

    return Packing
