"""The bench's timeline: which spans a hook's stamps make, and that all it wraps is still there."""

import pytest

from tests.bench.receiver import find_lead
from tests.bench.stack import lead_body
from tests.bench.stamps import Kept, mark_web, mark_worker
from tests.bench.timeline import Calls, calls_of, join, spans_of


def test_a_span_is_of_the_hooks_that_had_both_of_its_stamps():
    stamps = {"r1": {"left": 1.0, "stored": 1.002, "heard": 1.003}, "r2": {"left": 2.0, "stored": 2.004}, "r3": {}}
    found = {(span.begin, span.end): span for span in spans_of(stamps)}
    assert found["left", "stored"].count == 2
    assert found["stored", "heard"].count == 1
    assert found["stored", "heard"].p50_ms == pytest.approx(1.0)
    assert found["arrived", "left"].p50_ms is None


def test_calls_are_summed_up_by_their_names():
    found = calls_of([("accept", 1.0, 1.002, 1), ("settle", 1.0, 1.001, 1), ("accept", 2.0, 2.004, 3)])
    assert found == [Calls("accept", 2, 2.0, pytest.approx(3.0)), Calls("settle", 1, 1.0, pytest.approx(1.0))]


def test_what_the_receiver_saw_is_found_by_the_lead():
    web, worker = {"r1": {"lead": 7, "left": 1.0}, "r2": {"lead": 8}}, {"r1": {"begun": 1.5}}
    joined = join([web, worker], {7: 2.0})
    assert joined == {"r1": {"lead": 7, "left": 1.0, "begun": 1.5, "received": 2.0}, "r2": {"lead": 8}}


def test_a_hook_tells_its_lead():
    assert find_lead(lead_body(4711)) == 4711
    assert find_lead(b"") == 0


def test_all_that_is_wrapped_is_there():
    wrapped = []

    def note(owner: object, name: str, marked: object) -> None:
        assert callable(getattr(owner, name))
        wrapped.append(name)

    mark_web(Kept(), note)
    mark_worker(Kept(), note)
    calls_of_store = {"accept", "save_routed", "save_routed_and_claim", "settle", "settle_and_claim"}
    assert set(wrapped) == {"put", "add", "plan_batch", "attempt"} | calls_of_store
