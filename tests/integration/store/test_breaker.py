"""The breaker of a sink: a share of failures closes its gate, single trials decide, then the rate grows in steps."""

import pytest

from relay.model import Breaker, Outcome
from relay.store.acts import Author
from relay.store.keys import sink_queue
from tests.integration.store.conftest import BREAKER
from tests.integration.store.shapes import settlement

QUEUE = sink_queue("books")
LATER = {"delay_ms": 3_600_000, "reason": "503 Service Unavailable"}


class Sink:
    """The sink books, as its attempts leave it."""

    def __init__(self, run, store, reader, given) -> None:
        self._run, self._store, self._reader, self._given = run, store, reader, given

    def attempts(self, *outcomes: Outcome) -> list:
        """Make an attempt of each of new deliveries, all settled in one call."""
        self._given.pending(len(outcomes))
        items = self._given.claim("w1", max=len(outcomes)).items
        later = dict.fromkeys((Outcome.RETRY, Outcome.THROTTLED), LATER)
        self._given.settle(*[settlement(*one, **later.get(one[1], {})) for one in zip(items, outcomes, strict=True)])
        return items

    def fail(self, times: int = 10) -> list:
        """Let so many attempts fail."""
        return self.attempts(*[Outcome.RETRY] * times)

    @property
    def gate(self):
        """Return the gate."""
        return next(sink.gate for sink in self._run(self._reader.sinks()) if sink.name == "books")

    def trial(self):
        """Let the time of the gate be over, and claim the trial."""
        self.set("until", self._run(self._reader.now()))
        (only,) = self._given.claim("trial").items
        return only

    def set(self, field: str, value: int) -> None:
        """Write a field of the gate."""
        self._run(self._store.client.hset(self._store.keys.gate(QUEUE), field, value))

    def was_closed_for(self, seconds: int) -> None:
        """Let the gate have been closed so long ago."""
        self.set("since", self._run(self._reader.now()) - seconds * 1000)

    def changes(self) -> list[str]:
        """Return what became of the gate, oldest first."""
        return [one.change for one in self._run(self._reader.gate_history(QUEUE))]


@pytest.fixture
def sink(run, store, reader, given) -> Sink:
    run(store.registry.add_sinks({"books": "http"}))
    return Sink(run, store, reader, given)


def test_a_share_of_failures_closes_the_gate_and_nothing_leaves(sink, given):
    sink.attempts(*[Outcome.DELIVERED] * 6)
    assert sink.gate.until is None
    sink.fail(6)
    assert (sink.gate.breaker, sink.gate.since is None) == (True, False)
    assert sink.gate.reason == "6 of 12 attempts failed within 1m, the last: 503 Service Unavailable"
    given.pending(3)
    claim = given.claim("w2")
    assert (claim.items, claim.wait_ms > 0) == ([], True)


@pytest.mark.parametrize(
    "outcomes",
    [
        [Outcome.RETRY] * 9,
        [Outcome.DELIVERED] * 11 + [Outcome.RETRY] * 10,
        [Outcome.REJECTED] * 20,
        [Outcome.THROTTLED] * 20,
        [Outcome.SKIPPED] * 20,
    ],
)
def test_few_failures_and_answers_about_single_events_close_nothing(sink, outcomes):
    sink.attempts(*outcomes)
    assert (sink.gate.until, sink.changes()) == (None, [])


def test_a_failure_that_leaves_it_unknown_counts(sink):
    sink.attempts(*[Outcome.UNKNOWN] * 10)
    assert sink.gate.breaker


def test_one_delivery_decides_and_a_failed_trial_keeps_the_others_back(sink, given):
    sink.fail()
    given.pending(5)
    trial = sink.trial()
    assert trial.trial
    assert given.claim("w2").items == []
    given.settled(trial, Outcome.RETRY, **LATER)
    assert given.claim("w2").items == []
    assert sink.gate.reason == "503 Service Unavailable"


@pytest.mark.parametrize(("seconds", "least", "most"), [(0, 1_000, 1_100), (30, 3_000, 3_400), (3600, 59_000, 60_000)])
def test_the_longer_it_is_closed_the_more_seldom_it_is_tried(sink, given, run, reader, seconds, least, most):
    sink.fail()
    given.pending(2)
    trial = sink.trial()
    sink.was_closed_for(seconds)
    before = run(reader.now())
    given.settled(trial, Outcome.RETRY, **LATER)
    until = sink.gate.until
    assert before + least <= until <= run(reader.now()) + most


def test_what_arrives_opens_it_and_what_waits_only_for_the_sink_is_due_at_once(sink, given):
    failed = {one.id for one in sink.fail()}
    others = set(given.pending(2))
    trial = sink.trial()
    given.settled(trial, Outcome.DELIVERED)
    sink.set("ramp", 1)  # long ago
    assert {one.id for one in given.claim("w2").items} == (failed | others) - {trial.id}


def test_what_they_put_off_keeps_its_time(sink, given):
    (put_off,) = sink.attempts(Outcome.THROTTLED)
    sink.fail()
    given.pending(1)
    given.settled(sink.trial(), Outcome.DELIVERED)
    sink.set("ramp", 1)
    assert put_off.id not in {one.id for one in given.claim("w2").items}


def test_after_it_opened_the_rate_grows_in_steps(sink, given, run, reader):
    sink.fail()
    given.pending(40)
    given.settled(sink.trial(), Outcome.DELIVERED)
    (first,) = given.claim("w1", concurrency=8).items
    sink.set("ramp", run(reader.now()) - 1_050)  # two steps on: four at a time
    assert len(given.claim("w2", concurrency=8).items) == 3
    sink.set("ramp", run(reader.now()) - 60_000)
    assert len(given.claim("w3", concurrency=8).items) == 4
    given.settled(first, Outcome.DELIVERED)
    assert sink.gate == type(sink.gate)()


def test_where_all_have_failed_one_is_due_and_decides(sink, given):
    sink.fail()
    assert sink.trial().trial


def test_somebody_looks_at_once_where_a_person_opens_it_and_all_wait_for_later(run, store, reader, sink, given):
    failed = sink.fail()
    assert run(store.acts.resume("books", Author(by="anna")))
    assert run(store.client.zscore(store.keys.wake, QUEUE)) <= run(reader.now())
    sink.set("ramp", 1)
    assert len(given.claim("w2").items) == len(failed)


def test_after_half_a_minute_of_refusals_500_wait_for_a_trial_and_the_growing_rate_alone(sink, given, run, reader):
    """Together less than six seconds; then what waited leaves as fast as it may."""
    for _ in range(5):
        given.pending(100)
    given.settle(*[settlement(one, Outcome.RETRY, **LATER) for one in given.claim("w1", max=500).items])
    sink.was_closed_for(30)
    given.settled(sink.trial(), Outcome.RETRY)
    assert sink.gate.until - run(reader.now()) <= 4_000
    given.settled(sink.trial(), Outcome.DELIVERED)
    given.claim("w1", concurrency=8)
    (state,) = run(reader.due([QUEUE]))
    assert state.count == 500 - 2
    sink.set("ramp", run(reader.now()) - 1_500)
    assert len(given.claim("w2", concurrency=8).items) == 7


def test_a_whole_life_is_told_by_its_history(sink, given):
    sink.fail()
    given.pending(9)
    for _ in range(3):
        given.settled(sink.trial(), Outcome.RETRY, **LATER)
    given.settled(sink.trial(), Outcome.DELIVERED)
    sink.set("ramp", 1)
    sink.fail(30)
    assert sink.changes() == ["closed", "still closed", "opened", "closed"]


def test_the_failures_from_before_it_opened_do_not_close_it_again(sink, given):
    sink.fail(30)
    given.pending(1)
    given.settled(sink.trial(), Outcome.DELIVERED)
    sink.set("ramp", 1)
    sink.fail(1)
    assert sink.gate.until is None


def test_a_breaker_that_is_off_closes_nothing_and_what_it_closed_opens(run, store, reader, sink, given):
    sink.fail()
    given.pending(20)
    trial = sink.trial()
    run(store.settle("books", [settlement(trial, Outcome.RETRY, **LATER)], {}, None))
    sink.set("ramp", 1)
    run(
        store.settle("books", [settlement(one, Outcome.RETRY, 2, **LATER) for one in given.claim("w2").items], {}, None)
    )
    assert (sink.gate.until, sink.changes()) == (None, ["closed", "opened"])


@pytest.mark.parametrize(
    ("breaker", "closes"), [(Breaker(share=0.2, minimum=5, window_ms=10_000), True), (BREAKER, False)]
)
def test_its_share_and_its_minimum_are_the_sinks_own(run, store, sink, given, breaker, closes):
    given.pending(5)
    outcomes = [Outcome.DELIVERED] * 4 + [Outcome.RETRY]
    items = [settlement(*one) for one in zip(given.claim(max=5).items, outcomes, strict=True)]
    run(store.settle("books", items, {}, breaker))
    assert sink.gate.breaker is closes
    assert not closes or sink.gate.reason == "1 of 5 attempts failed within 10s, the last: so it was"


def test_another_length_of_its_window_keeps_what_was_counted(run, store, sink, given):
    sink.fail(9)
    given.pending(1)
    (last,) = given.claim(max=1).items
    longer = Breaker(share=0.5, minimum=10, window_ms=600_000)
    run(store.settle("books", [settlement(last, Outcome.RETRY)], {}, longer))
    assert sink.gate.breaker


def test_what_is_pulled_forward_keeps_the_time_that_they_asked_for(sink, given, run, store, reader):
    *_, asked = sink.attempts(*[Outcome.RETRY] * 9)
    others = [asked, *sink.attempts(Outcome.RETRY)]
    given.pending(1)
    trial = sink.trial()
    down = f"{store.keys.delivery(asked.id)}"
    until = run(reader.now()) + 600_000
    run(store.client.hset(down, "down", until))
    given.settled(trial, Outcome.DELIVERED)
    sink.set("ramp", 1)
    claimed = {one.id for one in given.claim("w2").items}
    assert asked.id not in claimed
    assert (others[1].id in claimed) is (others[1].id != trial.id)
    assert run(store.client.zscore(store.keys.due(QUEUE), asked.id)) == until


def test_its_gate_stays_closed_for_as_long_as_they_ask(sink, given, run, reader):
    given.pending(10)
    items = given.claim("w1", max=10).items
    before = run(reader.now())
    given.settle(*[settlement(one, Outcome.RETRY, delay_ms=300_000, asked_ms=300_000) for one in items])
    assert before + 300_000 <= sink.gate.until <= run(reader.now()) + 300_000
    given.pending(1)
    trial = sink.trial()
    given.settled(trial, Outcome.RETRY, delay_ms=200_000, asked_ms=200_000)
    assert before + 200_000 <= sink.gate.until <= run(reader.now()) + 200_000
