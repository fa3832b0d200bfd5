"""With RELAY_WAITAOF a hook is accepted, and a mark counts, once it is on the store's disk, or also on a replica's."""

import pytest
from msgspec.structs import replace

from relay.errors import StoreUnavailable
from relay.store.connect import connect
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from relay.store.sync import Sync
from tests.integration.store.shapes import hook, new, routed

IN_TIME = Sync(within_ms=9000)


@pytest.fixture
def synced(start_server, run):
    """Return the store of a server with options of its own, which waits for its disk."""
    stores = []

    def start(*options: str, sync: Sync = IN_TIME) -> Store:
        stores.append(Store(connect(start_server(*options).url, answer_seconds=10), sync=sync))
        return stores[-1]

    yield start
    for store in stores:
        run(store.client.aclose())


def test_a_hook_is_on_disk_when_it_is_accepted(run, synced):
    store = synced("--appendfsync", "everysec")
    assert run(store.accept([hook("r0")])).answers == [("r0", False)]
    assert run(store.accept([hook("r1", b"other")])).answers == [("r1", False)]  # the script is known by now


def test_where_no_replica_has_it_neither_a_hook_nor_a_mark_counts(run, synced):
    alone = synced(sync=Sync(replicas=1, within_ms=50))
    plain = Store(alone.client)
    with pytest.raises(StoreUnavailable, match=r"no replica wrote it to disk within 0\.05 s"):
        run(alone.accept([hook("r0")]))
    assert run(plain.accept([hook("r0")])).answers == [("r0", False)]  # the repetition of the same
    (receipt,) = run(plain.claim_receipts("router", 1, 60_000)).items
    run(plain.save_routed("router", [routed(receipt, new("d0", "r0"))]))
    with pytest.raises(StoreUnavailable, match="no replica wrote it"):  # nobody may work at what this took
        run(alone.claim_deliveries(sink_claim_request("books", "lost", 1, 60_000, 1, [])))
    request = replace(sink_claim_request("books", "w", 1, 60_000, 1, []), unheard=["lost"])
    (delivery,) = run(plain.claim_deliveries(request)).items
    with pytest.raises(StoreUnavailable, match="no replica wrote it"):
        run(alone.mark_sending([delivery]))


def test_a_store_that_has_no_file_is_said_to_have_none(run, synced):
    store = synced("--appendonly", "no")
    with pytest.raises(StoreUnavailable, match="WAITAOF cannot be used"):
        run(store.accept([hook("r0")]))
