"""A store that loads for long is waited for only as long as somebody wants it."""

import asyncio
from pathlib import Path

import pytest
import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from relay.embedded.server import EmbeddedStore
from relay.errors import RelayError
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


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Fill a store, and kill it; return the file of what was written."""
    store = EmbeddedStore(tmp_path)
    store.start()
    with redis.Redis(unix_socket_path=str(store.socket)) as client:
        for number in range(10):
            client.set(f"key {number}", "x" * 100)
    store.kill()
    (file,) = tmp_path.rglob("*.incr.aof")
    return file


def test_a_write_that_was_cut_off_is_left_out_and_said_once(written: Path, tmp_path: Path) -> None:
    with open(written, "ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$5\r\nkey 9\r\n$100\r\nyyy")  # of which nobody was answered
    store = EmbeddedStore(tmp_path)
    for said in (1, 0):
        with structlog.testing.capture_logs() as lines:
            store.start()
        assert [one["event"] for one in lines] == ["store.cut_off"] * said
        assert all("appendonly.aof" in one["store_says"] for one in lines)
        with redis.Redis(unix_socket_path=str(store.socket)) as client:
            assert (client.dbsize(), client.get("key 9")) == (10, b"x" * 100)
        store.kill()


def test_a_file_that_is_damaged_in_the_middle_is_not_loaded_and_the_reason_is_said(
    written: Path, tmp_path: Path
) -> None:
    whole = written.read_bytes()
    written.write_bytes(whole.replace(b"*3", b"*X", 5))
    with pytest.raises(RelayError, match="Bad file format reading the append only file") as refused:
        EmbeddedStore(tmp_path).start()
    assert "valkey-check-aof --fix" in str(refused.value)
    written.write_bytes(whole)
