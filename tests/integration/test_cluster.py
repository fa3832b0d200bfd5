"""A store that is one slot of a cluster: who connects finds it wherever it is, and what was acknowledged stays."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from redis.exceptions import ResponseError

from relay.config.environment import ProcessSettings
from relay.config.store_address import move_slot
from relay.errors import StoreUnavailable
from relay.store.connect import connect
from relay.store.health import read_durability
from relay.store.reader import Reader
from relay.store.shard_list import Ownership
from relay.store.shards import Shards
from relay.store.store import Store
from relay.store.sync import Sync, check_sync
from relay.store.wake_ups import WakeUps
from tests.clusters import Cluster, run_cluster
from tests.e2e.harness import until
from tests.integration.store.shapes import hook


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with run_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: Cluster, run):
    until(cluster.ready, what="every primary has its replica")
    settings = ProcessSettings.from_environ({"REDIS_URL": cluster.url, "CELERY_BROKER_URL": "redis://elsewhere"})
    assert settings.waitaof == "replica"
    client = connect(settings.redis_url, answer_seconds=5)
    yield client
    run(client.aclose())


@pytest.fixture
def store(client) -> Store:
    return Store(client, sync=Sync(replicas=1))


def refusal(run, store: Store, id: str) -> str:
    """Return why a hook was not accepted, "" where it was."""
    try:
        run(store.accept([hook(id, id.encode())]))
    except StoreUnavailable as error:
        return str(error)
    return ""


def claimed(run, store: Store) -> list[str]:
    return [one.id for one in run(store.claim_receipts("router", 100, 60_000)).items]


def test_whoever_connects_asks_any_node_where_the_store_is(run, cluster, client, store) -> None:
    assert refusal(run, store, "asked") == ""
    assert run(read_durability(client, "{relay}:probe")).replicas == 1
    run(check_sync(client, Sync(replicas=1), replicas=1))
    wake_ups = run(WakeUps.open(client, store.keys.prefix + "wake:w0"))
    run(client.execute_command("SPUBLISH", store.keys.prefix + "wake:w0", "inbox"))
    assert run(wake_ups.next()) == "inbox"
    run(wake_ups.close())


def test_the_store_is_moved_at_once_and_nobody_notices(run, cluster, client, store) -> None:
    wake_ups = run(WakeUps.open(client, store.keys.prefix + "wake:w1"))
    assert refusal(run, store, "moved0") == ""
    new = cluster.move_store()
    n = 0

    def there() -> bool:
        nonlocal n
        n += 1
        assert refusal(run, store, f"moved{n}") == ""
        return cluster.primary() is new

    until(there, what="the slot is on the other node")
    assert refusal(run, store, "moved") == ""
    assert {f"moved{one}" for one in range(n + 1)} | {"moved"} <= set(claimed(run, store))
    with pytest.raises(StoreUnavailable, match="moved to another server"):  # whoever listened there connects anew
        run(wake_ups.next())
    run(wake_ups.close())


def test_while_it_is_moved_key_by_key_nothing_is_taken_and_nothing_is_lost(run, cluster, client, store) -> None:
    assert refusal(run, store, "first") == ""
    old, new = cluster.begin_move_by_keys()
    assert "moved key by key: wait until that has ended, or move it by CLUSTER MIGRATESLOTS" in refusal(
        run, store, "no"
    )
    with pytest.raises(StoreUnavailable, match="key by key"):
        claimed(run, store)
    cluster.end_move_by_keys(old, new)
    assert cluster.primary() is new
    until(lambda: refusal(run, store, "second") == "", what="the new node takes hooks")
    assert {"first", "second"} <= set(claimed(run, store))


def test_a_replica_takes_over_and_nothing_counts_that_no_replica_has(run, cluster, client, store) -> None:
    assert refusal(run, store, "before") == ""
    old = cluster.primary()
    old.kill()
    until(lambda: cluster.primary() is not old, what="the replica has taken over")
    until(lambda: "no replica" in refusal(run, store, "alone"), what="the new primary says that it is alone")
    assert run(Reader(client).raw_receipt("before")) is not None
    old.start()
    until(lambda: refusal(run, store, "after") == "", what="the old one follows")


def test_a_single_server_and_a_slot_that_nobody_has_are_told(run, server, namespace) -> None:
    url = f"redis+cluster://localhost:1/{namespace}"
    alone = connect(url, answer_seconds=2)
    assert "no node of the cluster knows where the store is: localhost:1: " in refusal(run, Store(alone), "r0")
    run(alone.aclose())


@pytest.fixture
def shards(run, cluster, client, store):
    """Return the shards of this cluster, two of them, of a relay whose list of them has been copied."""
    opened = []

    def open_store(namespace: str) -> Store:
        opened.append(Store(connect(move_slot(cluster.url, namespace), answer_seconds=5), namespace))
        return opened[-1]

    shards = Shards(store, open_store)
    run(shards.record.add("07"))
    run(shards.refresh())
    given = run(shards.record.assign("acme", None, "07"))
    seventh = shards.store("07")
    run(Ownership(seventh.client, seventh.namespace).own("acme", given.epoch))
    run(shards.record.assign_homes([["books"]], ["07"]))
    run(shards.refresh())
    run(shards.keep_copies())
    yield shards
    for one in (store, *opened):
        keys = run(one.client.keys("{relay*}:*"))
        for key in keys:
            with suppress(ResponseError):  # of another slot
                run(one.client.unlink(key))
    for one in opened:
        run(one.client.aclose())


def without_first(cluster, shards) -> Shards:
    """Return what a process knows that has just begun, and finds no first shard."""
    nobody = Store(connect("redis://127.0.0.1:1", answer_seconds=1))
    return Shards(nobody, shards._open)


def test_the_list_of_shards_is_found_while_the_first_is_away(run, cluster, shards) -> None:
    found = without_first(cluster, shards)
    assert run(found.read_copy(cluster.url))
    assert (found.list, found.is_copy) == (shards.list, True)
    assert not run(found.read_copy(cluster.url)), "what is known is as new"
    run(found.first.client.aclose())


def test_a_copy_that_is_old_says_of_no_source_that_it_is_where_it_was(run, cluster, shards) -> None:
    seventh = shards.store("07")
    closed = run(shards.record.change("acme", shards.list.sources["acme"], "07", moving="00"))
    assert run(Ownership(seventh.client, seventh.namespace).close("acme", closed.epoch))
    found = without_first(cluster, shards)
    assert run(found.read_copy(cluster.url))
    assert found.list.epoch < closed.epoch
    assert found.list.owned_by("07", ["acme"]) == []
    assert found.list.home_of("books") == "07"
    run(found.first.client.aclose())


def test_an_older_list_takes_the_place_of_no_newer_copy(run, cluster, shards) -> None:
    before = shards.list
    run(shards.record.assign_homes([["other"]], ["07"]))
    run(shards.refresh())
    run(shards.keep_copies())
    shards.list, newest = before, shards.list
    run(shards.keep_copies())
    found = without_first(cluster, shards)
    assert run(found.read_copy(cluster.url))
    assert found.list == newest
    run(found.first.client.aclose())
