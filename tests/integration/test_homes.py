"""Every sink of the file has one home, which never changes; pages and commands read and pause its gate there."""

from types import SimpleNamespace

import pytest

from relay.background import BackgroundTasks
from relay.model import Limit
from relay.operations.gates import pause_sink, read_sink_story, resume_sink
from relay.store.acts import Act, Author
from relay.store.connect import connect
from relay.store.keys import sink_queue
from relay.store.reader import Reader
from relay.store.readers import Readers
from relay.store.requests import sink_claim_request
from relay.store.shard_list import FIRST, choose_shard
from relay.store.shards import Shards
from relay.store.store import Store
from relay.store.stores import OneOfSeveral, Stores
from tests.integration.conftest import delete_all
from tests.integration.scripted_sink import queue_deliveries
from workers.borrowing import Borrowing, Home
from workers.homes import Homes, group_by_limits

NAMES = ("00", "01", "02")
ANNA = Author(by="anna")
AT_01 = next(f"sink{n}" for n in range(100) if choose_shard(f"sink{n}", NAMES) == "01")


@pytest.fixture
def shards(run, server, namespace):
    """Return the shards of a relay that has one."""
    opened = []

    def open_store(namespace: str) -> Store:
        opened.append(Store(connect(server.url, answer_seconds=10), namespace.replace(":", "-")))
        return opened[-1]

    shards = Shards(open_store(namespace), open_store)
    yield shards
    for store in opened:
        run(delete_all(store))


@pytest.fixture
def three(run, shards):
    """Return the same with three shards, and a sink at home in the second."""
    run(shards.first.registry.add_sinks({"books": "http", "sub-1": "subscriber"}))
    for name in NAMES[1:]:
        run(shards.record.add(name))
    run(shards.record.assign_homes([[AT_01]], NAMES))
    run(shards.refresh())
    for store in shards.stores().values():
        run(store.registry.add_sinks({"books": "http", AT_01: "http"}))
    return shards


@pytest.fixture
def reader(three):
    each = {name: Reader(store.client, store.namespace, three.gates(name)) for name, store in three.stores().items()}
    return Readers(lambda: each, three.list.shard_of)


@pytest.fixture
def stores(three, reader):
    return Stores(three.stores, reader, three.list.shard_of, three.list.home_of)


class TestHomes:
    def test_the_only_shard_is_the_home_of_all(self, run, shards):
        run(shards.refresh())
        assert shards.list.home_of("books") == FIRST
        assert run(shards.record.assign_homes([["books"]], NAMES)) == 0
        run(shards.refresh())
        assert (shards.list.homes, shards.list.epoch) == ({}, 0)

    def test_the_only_shard_is_the_home_of_what_it_knows_so_that_a_second_one_changes_nothing(self, run, shards):
        homes = Homes(shards, SimpleNamespace(sinks={}), "w1", BackgroundTasks(), shards.refresh)
        homes.note_epoch(0)
        assert homes.find("new") is None  # a drainer that is made now would stay when a second one is its home
        run(shards.first.registry.add_sinks({"new": "http"}))
        homes.note_registered(["new"])
        assert homes.find("new") == FIRST
        run(shards.record.add("01"))
        run(shards.refresh())
        homes.note_epoch(1)
        assert homes._shards.list.home_of("new") == FIRST

    def test_what_was_registered_before_the_second_shard_stays_in_the_first(self, three):
        assert three.list.home_of("books") == FIRST
        assert three.list.home_of("sub-1") is None  # a subscriber is where its source is

    def test_a_new_sink_s_home_is_chosen_by_its_name_and_never_changes(self, run, three):
        assert three.list.home_of(AT_01) == "01"
        epoch = three.list.epoch
        assert run(three.record.assign_homes([[AT_01], ["books"]], ("02",))) == epoch
        run(three.refresh())
        assert (three.list.home_of(AT_01), three.list.home_of("other")) == ("01", None)

    def test_sinks_that_share_a_limit_have_one_home(self, run, three):
        epoch = three.list.epoch
        assert run(three.record.assign_homes([["aaa", AT_01, "zzz"], ["x", "y"]], ("02",))) == epoch + 1
        run(three.refresh())
        assert [three.list.home_of(name) for name in ("aaa", "zzz", "x", "y")] == ["01", "01", "02", "02"]

    def test_sinks_are_put_together_by_all_limits_that_they_share(self):
        limits = {"a": ["chat1", "bot1"], "b": ["b"], "c": ["bot2"], "d": ["chat1"], "e": ["bot1", "bot2"], "f": []}
        assert sorted(group_by_limits(limits)) == [["a", "c", "d", "e"], ["b"], ["f"]]


class TestFaces:
    def test_a_pause_is_set_in_the_home_alone_and_seen_everywhere(self, run, three, reader, stores):
        run(pause_sink(stores, reader, AT_01, ANNA, None))
        gates = {name: run(store.client.exists(store.keys.gate(sink_queue(AT_01)))) for name, store in
                 three.stores().items()}  # fmt: skip
        assert gates == {"00": 0, "01": 1, "02": 0}
        for one in (reader, *reader.each.values()):
            assert next(sink.gate.paused for sink in run(one.sinks()) if sink.name == AT_01)
        story = run(read_sink_story(reader, AT_01))
        assert (story.state.gate.paused, [one.change for one in story.history]) == (True, ["paused"])
        assert [work.count for work in run(reader.due([sink_queue(AT_01)]))] == [0]
        run(resume_sink(stores, reader, AT_01, ANNA))
        assert not run(read_sink_story(reader, AT_01)).state.gate.paused

    def test_what_waits_in_another_shard_behind_a_closed_gate_is_not_due(self, run, three, reader, stores):
        queue_deliveries(run, three.store("02"), [b"{}"], sink=AT_01)
        assert [work.count for work in run(reader.due([sink_queue(AT_01)]))] == [1]
        run(pause_sink(stores, reader, AT_01, ANNA, None))
        assert [work.count for work in run(reader.due([sink_queue(AT_01)]))] == [0]
        (found,) = run(reader.deliveries(["d00000"]))
        assert found.paused

    def test_a_command_for_one_shard_pauses_the_sink_in_its_home(self, run, three, reader):
        one = OneOfSeveral(three.store("02"), lambda sink: three.of_gate(sink) or three.first)
        run(pause_sink(one, reader, AT_01, ANNA, None))
        assert run(three.store("01").client.exists(three.store("01").keys.gate(sink_queue(AT_01)))) == 1

    def test_who_makes_one_due_hears_that_its_sink_is_paused_in_its_home(self, run, three, reader, stores):
        other = three.store("02")
        (id,) = queue_deliveries(run, other, [b"{}"], sink=AT_01)
        run(other.client.zadd(other.keys.due(sink_queue(AT_01)), {id: 4_000_000_000_000}))
        run(pause_sink(stores, reader, AT_01, Author(by="anna", why="they move"), None))
        answer = run(stores.acts.act_on_delivery(id, Act.RETRY, ANNA))
        assert (answer.code, answer.obstacle) == ("done", "paused: by anna: they move")

    def test_a_slot_that_is_lent_is_in_flight_once(self, run, three, reader):
        other = three.store("02")
        queue_deliveries(run, other, [b"{}"] * 2, sink=AT_01)
        calls = Borrowing(AT_01, other, Home("01", three.store("01"), "02"), "w1")
        limits = [Limit(key="k", count=1, per_ms=60_000)]
        claim = run(calls.claim_deliveries(sink_claim_request(AT_01, "w1:1", 5, 60_000, 5, limits)))
        assert len(claim.items) == 1
        (state,) = [sink for sink in run(reader.sinks()) if sink.name == AT_01]
        assert (state.in_flight, state.waiting) == (1, 1)
