"""A store with Sentinels: who connects asks them for it, and what was acknowledged outlives a failover."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from relay.bells import Ringer, broker_settings
from relay.errors import StoreUnavailable
from relay.store.connect import connect
from relay.store.health import read_durability
from relay.store.keys import INBOX
from relay.store.reader import Reader
from relay.store.store import Store
from relay.store.sync import Sync, check_sync
from tests.integration.store.shapes import hook
from tests.sentinels import SentinelGroup, sentinel_group

SYNC = Sync(replicas=1)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[SentinelGroup]:
    with sentinel_group(tmp_path, sentinels=1) as group:
        yield group


def accepts(run, store: Store, id: str) -> str:
    """Return why a hook was not accepted, "" where it was."""
    try:
        run(store.accept([hook(id, id.encode())]))
    except StoreUnavailable as error:
        return str(error)
    return ""


def test_hooks_and_bells_follow_the_primary_and_nothing_counts_that_no_replica_has(run, until, group) -> None:
    stranger = connect(group.url.replace("/books", "/bills"), answer_seconds=5)
    assert "No master found for 'bills'" in accepts(run, Store(stranger), "r0")
    run(stranger.aclose())

    client = connect(group.url, answer_seconds=5)
    store, reader = Store(client, sync=SYNC), Reader(client)
    celery = Celery("relay")
    celery.conf.update(broker_settings(group.url, "relay"))
    ringer = Ringer(celery, store, clock=lambda: 0.0)
    ringer_now = Ringer(celery, store, clock=lambda: 0.0)
    try:
        run(check_sync(client, SYNC, run(read_durability(client, "probe")).replicas))
        assert accepts(run, store, "before") == ""
        assert run(ringer.ring([INBOX]))

        old = group.primary()
        old.kill()
        until(lambda: group.primary() is not old)
        until(lambda: "no replica" in accepts(run, store, "alone"))
        with pytest.raises(StoreUnavailable, match="RELAY_WAITAOF=replica, and the store has no replica"):
            run(check_sync(client, SYNC, run(read_durability(client, "probe")).replicas))
        assert run(reader.raw_receipt("before")) is not None
        until(lambda: run(ringer_now.ring([INBOX])))

        group.rejoin(old)
        until(lambda: accepts(run, store, "after") == "")
    finally:
        celery.close()
        run(client.aclose())
