"""A diagnosis says what is wrong, what that means and what to do about it."""

import pytest

from relay.accounts.source_health import SourceHealth
from relay.operations.account_diagnosis import diagnose_accounts
from relay.operations.doctor import diagnose
from relay.operations.examination import STORE, WRITES, Examination
from relay.operations.sink_diagnosis import FAILING_MS, diagnose_sinks
from relay.operations.source_diagnosis import diagnose_sources
from relay.operations.store_diagnosis import EMPTIED_MS, NEW_MS, diagnose_broker, diagnose_store
from relay.store.gate import Gate
from relay.store.health import Durability, MemoryUse, StoreLife
from relay.store.outcomes import Outcomes
from relay.store.queues import AccountState, SinkState

HOUR = 3_600_000


def durability(grade: str = "fsync", policy: str = "noeviction") -> Durability:
    return Durability(grade=grade, replicas=0, policy=policy)


GOOD = {
    "durability": durability(),
    "memory": MemoryUse(used=10, limit=1000),
    "clock_skew_ms": 0,
    "workers": 2,
    "inbox": 0,
    "now": HOUR,
}


def examination(**changes) -> Examination:
    return Examination(**{**GOOD, **changes})


def test_a_store_without_a_problem_is_good_in_everything():
    assert {diagnosis.grade for diagnosis in diagnose_store(examination())} == {"good"}


@pytest.mark.parametrize(
    ("what", "about", "grade"),
    [
        (
            {"durability": durability(grade="everysec")},
            "what the store survives",
            "warning",
        ),
        ({"durability": durability(grade="memory")}, "what the store survives", "bad"),
        ({"durability": durability(policy="allkeys-lru")}, "eviction", "bad"),
        ({"memory": MemoryUse(used=900, limit=1000)}, "headroom", "bad"),
        ({"memory": MemoryUse(used=900, limit=0)}, "headroom", "warning"),
        ({"clock_skew_ms": -5000}, "clock", "warning"),
        ({"oldest_unrouted_ms": 2 * HOUR}, "workers", "bad"),
        ({"workers": 0}, "workers", "warning"),
        ({"workers": 0, "inbox": 1}, "workers", "bad"),
        ({"workers": 0, "sinks": [SinkState(name="books", type="http", waiting=1)]}, "workers", "bad"),
        ({"life": StoreLife(since=HOUR, emptied_at=HOUR)}, "contents", "bad"),
        ({"failures": {WRITES: "OOM"}}, "writes", "bad"),
        ({"failures": {"sinks": "no answer"}}, "sinks", "bad"),
    ],
)
def test_each_problem_of_the_store_is_found_with_a_remedy(what, about, grade):
    (problem,) = [diagnosis for diagnosis in diagnose_store(examination(**what)) if diagnosis.grade != "good"]
    assert (problem.about, problem.grade) == (about, grade)
    assert problem.means
    assert problem.advice


@pytest.mark.parametrize(
    ("since", "found"),
    [
        (None, "new: no worker has used it yet, and nothing is in it"),
        (HOUR - 60_000, "new, with nothing of an earlier store: in use for 1m 0s"),
        (HOUR - 2 * NEW_MS, "in use for 2d 0h"),
    ],
)
def test_it_is_said_since_when_the_store_is_in_use(since, found):
    said = {one.about: one for one in diagnose_store(examination(life=StoreLife(since=since)))}
    assert (said["contents"].found, said["contents"].grade) == (found, "good")


def test_that_a_store_was_emptied_is_not_told_for_ever():
    life = StoreLife(since=HOUR - EMPTIED_MS, emptied_at=HOUR - EMPTIED_MS)
    assert {one.grade for one in diagnose_store(examination(life=life))} == {"good"}


def test_of_a_store_that_is_away_nothing_else_is_said():
    away = Examination(now=None, failures={STORE: "refused"})
    assert [(one.about, one.grade) for one in diagnose(away, set())] == [("store", "bad")]


@pytest.mark.parametrize(("failure", "grade"), [(None, "good"), ("refused", "bad")])
def test_a_broker_that_cannot_be_used_is_bad(failure, grade):
    assert diagnose_broker(failure).grade == grade


def failing(row: int = 3, for_ms: int = FAILING_MS, *, lately: bool = True) -> Outcomes:
    """Make the outcomes of a sink of which every attempt has failed for so long."""
    attempts = row if lately else 0
    return Outcomes(attempts=attempts, failed=attempts, row=row, row_since=HOUR - for_ms)


@pytest.mark.parametrize(
    ("sink", "grades"),
    [
        (SinkState(name="books", type="http"), ["good"]),
        (SinkState(name="gone", type="http", waiting=2), ["bad"]),
        (SinkState(name="gone", type="http"), ["good"]),
        (SinkState(name="sub-7", type="subscriber", waiting=2), ["good"]),
        (SinkState(name="sub-7", type="subscriber", gate=Gate(paused=True, paused_why="410")), ["warning"]),
        (SinkState(name="books", type="http", gate=Gate(until=2 * HOUR, reason="401")), ["bad"]),
        (SinkState(name="books", type="http", gate=Gate(until=1)), ["good"]),
        (SinkState(name="books", type="http", held=1, dead=2), ["warning", "warning"]),
        (SinkState(name="sub-7", type="subscriber", dead=2), ["good"]),
        (SinkState(name="books", type="http", waiting=9, oldest_due_ms=299_999), ["good"]),
        (SinkState(name="books", type="http", waiting=9, oldest_due_ms=300_001), ["warning"]),
        (SinkState(name="books", type="http", waiting=9, outcomes=failing()), ["bad"]),
        (SinkState(name="books", type="http", waiting=9, outcomes=failing(row=2)), ["good"]),
        (SinkState(name="books", type="http", waiting=9, outcomes=failing(for_ms=FAILING_MS - 1)), ["good"]),
        (SinkState(name="books", type="http", waiting=0, outcomes=failing(lately=False)), ["good"]),
        (SinkState(name="books", type="http", waiting=9, outcomes=failing(lately=False)), ["bad"]),
        (SinkState(name="sub-7", type="subscriber", waiting=9, outcomes=failing()), ["warning"]),
        (SinkState(name="books", type="http", outcomes=Outcomes(attempts=10, failed=2)), ["warning"]),
        (SinkState(name="books", type="http", outcomes=Outcomes(attempts=9, failed=8)), ["good"]),
        (SinkState(name="books", type="http", outcomes=Outcomes(attempts=1000, failed=199)), ["good"]),
    ],
)
def test_a_sink_that_is_closed_unknown_or_has_deliveries_for_a_person_is_found(sink, grades):
    diagnoses = diagnose_sinks([sink], {"books"}, HOUR)
    assert [diagnosis.grade for diagnosis in diagnoses] == grades


def test_a_paused_subscriber_comes_with_the_command_that_enables_it():
    paused = SinkState(name="sub-7", type="subscriber", gate=Gate(paused=True, paused_why="410"))
    (diagnosis,) = diagnose_sinks([paused], set(), HOUR)
    assert (diagnosis.found, diagnosis.advice) == ("paused: 410", "relay subscriptions enable 7")


def test_without_a_configuration_no_sink_is_an_orphan():
    (diagnosis,) = diagnose_sinks([SinkState(name="gone", type="http", waiting=2)], None, HOUR)
    assert diagnosis.grade == "good"


def test_a_sink_that_fails_is_told_with_the_share_since_when_and_the_oldest():
    sink = SinkState(name="books", type="http", waiting=3000, oldest_pending_ms=7_200_000, outcomes=failing(row=6000))
    (diagnosis,) = diagnose_sinks([sink], {"books"}, HOUR)
    assert "(1m 0s): 100% of 6000 attempts failed in the last hour" in diagnosis.found
    assert diagnosis.found.endswith("3000 wait, the oldest for 2h 0m")


@pytest.mark.parametrize(
    ("account", "grade"),
    [
        (AccountState(source="acme", waiting=300), "good"),
        (AccountState(source="acme", waiting=300, oldest_due_ms=300_001), "bad"),
        (AccountState(source="acme", waiting=300, gate=Gate(until=2 * HOUR, reason="401")), "bad"),
        (AccountState(source="acme", waiting=300, outcomes=failing()), "bad"),
        (AccountState(source="acme", waiting=300, outcomes=failing(row=1)), "good"),
    ],
)
def test_an_account_in_which_nothing_is_looked_up_is_found(account, grade):
    (diagnosis,) = diagnose_accounts([account], HOUR)
    assert diagnosis.grade == grade


def health(**changes) -> SourceHealth:
    return SourceHealth(
        **{"received": 1, "checked_at": HOUR, "last_at": HOUR, "last_hook_at": HOUR, "hook": "enabled", **changes}
    )


@pytest.mark.parametrize(
    ("source", "grade", "found"),
    [
        (health(), "good", "its hook is enabled"),
        (health(hook="disabled"), "bad", "disabled"),
        (health(last_at=0, gaps=[60_000] * 5), "bad", "silent"),
        (health(hook="missing"), "warning", "not registered"),
        (health(hook="unknown", problem="429"), "warning", "last hook"),
        (health(last_hook_at=None), "good", "its hook is enabled, no hook yet"),
        (None, "warning", "unknown"),
    ],
)
def test_a_source_with_a_disabled_hook_or_without_hooks_is_found(source, grade, found):
    (diagnosis,) = diagnose_sources({"acme": source})
    assert diagnosis.grade == grade
    assert diagnosis.found.startswith(found)
