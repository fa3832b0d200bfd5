"""With RELAY_WAITAOF=1 a hook is accepted once it is on the store's disk."""

import pytest
from redis.asyncio import Redis

from relay.errors import StoreUnavailable
from relay.store.connect import connect
from relay.store.store import Store
from tests.integration.store.shapes import hook


@pytest.fixture
def synced(start_server, run):
    """Return the store of a server with options of its own, which waits for its disk."""
    stores = []

    def start(*options: str) -> Store:
        stores.append(Store(connect(start_server(*options).url, answer_seconds=10), synced_within_ms=9000))
        return stores[-1]

    yield start
    for store in stores:
        run(store.client.aclose())


def test_a_hook_is_on_disk_when_it_is_accepted(run, synced):
    store = synced("--appendfsync", "everysec")
    assert run(store.accept([hook("r0")])).answers == [("r0", False)]
    assert run(store.accept([hook("r1", b"other")])).answers == [("r1", False)]  # the script is known by now


def test_where_the_disk_is_too_slow_it_is_not_accepted(run, synced, monkeypatch):
    store = synced("--appendfsync", "everysec")

    async def nothing_synced(*_: object) -> list[int]:
        return [0, 0]

    with monkeypatch.context() as patched:
        patched.setattr(Redis, "waitaof", nothing_synced)
        with pytest.raises(StoreUnavailable, match="did not write it to disk within 9 s"):
            run(store.accept([hook("r0")]))
    assert run(store.accept([hook("r0")])).answers == [("r0", False)]  # the repetition of the same


def test_a_store_that_has_no_file_is_said_to_have_none(run, synced):
    store = synced("--appendonly", "no")
    with pytest.raises(StoreUnavailable, match="WAITAOF cannot be used"):
        run(store.accept([hook("r0")]))
