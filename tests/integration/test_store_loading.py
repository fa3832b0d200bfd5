"""A store that loads for long is waited for only as long as somebody wants it."""

import asyncio
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from relay.embedded.server import EmbeddedStore
from relay.up.loading import wait_until_loaded

KEYS = 200
DELAY_MICROSECONDS = 1_000_000  # for each key


def test_whoever_is_cancelled_while_the_store_loads_waits_for_nothing(tmp_path: Path) -> None:
    filled = EmbeddedStore(tmp_path)
    filled.start()
    with redis.Redis(unix_socket_path=str(filled.socket)) as client:
        client.mset({f"key {number}": "x" for number in range(KEYS)})
        for number in range(KEYS):
            client.set(f"key {number}", "y")
    filled.stop()
    slow = EmbeddedStore(tmp_path, "--key-load-delay", str(DELAY_MICROSECONDS))
    slow.spawn()

    async def cancel() -> None:
        waiting = asyncio.create_task(wait_until_loaded(slow))
        while not slow.socket.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    try:
        asyncio.run(cancel())  # it ends only when the thread has
        assert slow.running
        with (
            redis.Redis(unix_socket_path=str(slow.socket), socket_timeout=0.5, retry=Retry(NoBackoff(), 0)) as client,
            pytest.raises((redis.BusyLoadingError, redis.TimeoutError)),
        ):
            client.ping()
    finally:
        slow.kill()
