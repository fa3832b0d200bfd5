"""A diagnosis says what is wrong, what that means and what to do about it."""

import pytest

from relay.accounts.source_health import SourceHealth
from relay.operations.diagnosis import diagnose_sinks, diagnose_sources, diagnose_store
from relay.operations.examination import Examination
from relay.store.gate import Gate
from relay.store.health import Durability, MemoryUse
from relay.store.queues import SinkState

HOUR = 3_600_000


def durability(grade: str = "fsync", policy: str = "noeviction") -> Durability:
    return Durability(grade=grade, replicas=0, policy=policy)


GOOD = {
    "durability": durability(),
    "memory": MemoryUse(used=10, limit=1000),
    "clock_skew_ms": 0,
    "oldest_unrouted_ms": None,
    "sinks": (),
    "sources": {},
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
    ],
)
def test_each_problem_of_the_store_is_found_with_a_remedy(what, about, grade):
    (problem,) = [diagnosis for diagnosis in diagnose_store(examination(**what)) if diagnosis.grade != "good"]
    assert (problem.about, problem.grade) == (about, grade)
    assert problem.means
    assert problem.advice


@pytest.mark.parametrize(
    ("sink", "grades"),
    [
        (SinkState(name="books", type="http"), ["good"]),
        (SinkState(name="gone", type="http", waiting=2), ["bad"]),
        (SinkState(name="gone", type="http"), ["good"]),
        (SinkState(name="sub-7", type="subscriber", waiting=2), ["good"]),
        (SinkState(name="sub-7", type="subscriber", gate=Gate(paused=True, reason="410")), ["warning"]),
        (SinkState(name="books", type="http", gate=Gate(until=2 * HOUR, reason="401")), ["bad"]),
        (SinkState(name="books", type="http", gate=Gate(until=1)), ["good"]),
        (SinkState(name="books", type="http", held=1, dead=2), ["warning", "warning"]),
    ],
)
def test_a_sink_that_is_closed_unknown_or_has_deliveries_for_a_person_is_found(sink, grades):
    diagnoses = diagnose_sinks(examination(sinks=[sink]), {"books"})
    assert [diagnosis.grade for diagnosis in diagnoses] == grades


def test_a_paused_subscriber_comes_with_the_command_that_enables_it():
    paused = SinkState(name="sub-7", type="subscriber", gate=Gate(paused=True, reason="410"))
    (diagnosis,) = diagnose_sinks(examination(sinks=[paused]), {})
    assert (diagnosis.found, diagnosis.advice) == ("paused: 410", "relay subscriptions enable 7")


def health(**changes) -> SourceHealth:
    return SourceHealth(**{"received": 1, "checked_at": HOUR, "last_at": HOUR, "hook": "enabled", **changes})


@pytest.mark.parametrize(
    ("source", "grade", "found"),
    [
        (health(), "good", "its hook is enabled"),
        (health(hook="disabled"), "bad", "disabled"),
        (health(last_at=0, gaps=[60_000] * 5), "bad", "silent"),
        (health(hook="missing"), "warning", "not registered"),
        (health(hook="unknown", problem="429"), "warning", "last hook"),
        (health(last_at=None), "good", "its hook is enabled, no hook yet"),
        (None, "warning", "unknown"),
    ],
)
def test_a_source_with_a_disabled_hook_or_without_hooks_is_found(source, grade, found):
    (diagnosis,) = diagnose_sources({"acme": source})
    assert diagnosis.grade == grade
    assert diagnosis.found.startswith(found)
