"""What the records of the store take is estimated by a sample of bounded cost, and lies near what they do take."""

import pytest

from relay.model import Outcome
from relay.store.connect import connect
from relay.store.health import read_memory_samples
from relay.store.people import PeopleIndex, PersonRow, Reach
from relay.store.record_memory import SAMPLED, RecordMemorySampler, read_record_memory
from relay.store.records import Job
from relay.store.shared_state import SharedState
from relay.store.store import Store
from tests.integration.store.shapes import event, new, routed, settlement
from workers.memory_sampler import MemorySampler


@pytest.fixture
def sample(run, store):
    """Take a sample. Returns what it found by kind."""

    def take():
        found = run(RecordMemorySampler(store.client, store.namespace).sample())
        assert run(read_record_memory(SharedState(store.client, store.namespace))) == found
        return {one.kind: one for one in found.kinds}

    return take


def measured(run, store, pattern: str) -> int:
    """Measure every key of a kind, one by one."""
    keys = run(store.client.keys(store.keys.prefix + pattern))
    return sum(run(store.client.memory_usage(key)) for key in keys)


def test_an_empty_store_has_nothing_to_measure(run, store, sample):
    assert run(read_record_memory(SharedState(store.client, store.namespace))) is None
    assert sample() == {}


def test_every_kind_is_near_what_its_records_take(run, store, given, sample):
    given.pending(SAMPLED)
    given.settle(*[settlement(one, Outcome.RETRY) for one in given.claim(max=SAMPLED).items])
    run(PeopleIndex(store.client, store.namespace).write([PersonRow("r0001", 0, ["a-hash"])], Reach(), 0))
    found = sample()
    for kind in ("hooks", "bodies of hooks", "indexes", "deliveries", "contents of deliveries"):
        assert found[kind].count == SAMPLED, kind
    for kind, patterns in {
        "hooks": ["r:*"], "bodies of hooks": ["b:*"], "deliveries": ["d:*"], "attempts": ["a:*"],
        "contents of deliveries": ["c:*"],
        "indexes": ["events:*", "people:*"],
    }.items():  # fmt: skip
        exact = sum(measured(run, store, pattern) for pattern in patterns)
        assert exact * 0.95 <= found[kind].bytes <= exact * 1.05, kind
    assert found["queues and lists"].bytes > measured(run, store, "receipts")
    assert found["counters and audit"].bytes >= measured(run, store, "stats")


def test_of_many_a_sample_speaks_for_all(run, store, given, sample, spent):
    for _ in range(3):
        given.pending(SAMPLED)
    spent()
    found = sample()
    commands = spent()[1]
    assert found["hooks"].count == found["deliveries"].count == 3 * SAMPLED
    exact = measured(run, store, "d:*")
    assert exact * 0.9 <= found["deliveries"].bytes <= exact * 1.1
    assert commands < 20 * SAMPLED, "the cost goes by the sample, and not by what is stored"


def test_a_hook_with_many_events_is_measured_by_some_of_its_parts(run, store, given, sample):
    (receipt,) = given.taken()
    events = [event(index, str(index)) for index in range(200)]
    made = [new(f"d{index:03}", receipt.id, index, content=b"%03d" % index) for index in range(200)]
    run(store.save_routed("router", [routed(receipt, *made, events=events)]))
    found = sample()
    for kind in ("deliveries", "indexes"):  # 64 of 414 fields are looked at: six times their usual error is allowed
        assert 60 <= found[kind].count <= 340, kind


def test_what_a_store_forbids_to_measure_is_not_known(run, start_server, namespace):
    server = start_server("--rename-command", "MEMORY", "")
    store = Store(connect(server.url, answer_seconds=10), namespace)
    job = Job(id="memory", kind="memory", args=b"{}", token="t")
    assert run(MemorySampler(store).sample(job)) == 3_600_000
    assert len(run(read_memory_samples(store.client, store.keys.memory))) == 1, "the forecast has its sample"
    assert run(read_record_memory(SharedState(store.client, namespace))) is None
    run(store.client.aclose())
