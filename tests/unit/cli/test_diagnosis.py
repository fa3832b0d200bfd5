"""The doctor says what is wrong, what that means and what to do; and nothing of what is well."""

import pytest

from relay.accounts.source_health import SourceHealth
from relay.cli.diagnosis import Examination, of_sinks, of_sources, of_store
from relay.store.health import Durability, MemoryUse
from relay.store.stored import SinkState

HOUR = 3_600_000
GOOD = {
    "durability": Durability("fsync", 0, "noeviction"),
    "room": MemoryUse(used=10, limit=1000),
    "skew_ms": 0,
    "oldest_unrouted_ms": None,
    "sinks": (),
    "heard": {},
    "now": HOUR,
}


def examined(**more) -> Examination:
    return Examination(**{**GOOD, **more})


def test_a_store_that_is_well_is_good_in_everything():
    assert {finding.grade for finding in of_store(examined())} == {"good"}


@pytest.mark.parametrize(
    ("what", "about", "grade"),
    [
        ({"durability": Durability("everysec", 0, "noeviction")}, "what the store survives", "warning"),
        ({"durability": Durability("memory", 0, "noeviction")}, "what the store survives", "bad"),
        ({"durability": Durability("fsync", 0, "allkeys-lru")}, "eviction", "bad"),
        ({"room": MemoryUse(used=900, limit=1000)}, "headroom", "bad"),
        ({"room": MemoryUse(used=900, limit=0)}, "headroom", "warning"),
        ({"skew_ms": -5000}, "clock", "warning"),
        ({"oldest_unrouted_ms": 2 * HOUR}, "workers", "bad"),
    ],
)
def test_each_thing_that_is_wrong_with_the_store_is_told_with_a_remedy(what, about, grade):
    (found,) = [finding for finding in of_store(examined(**what)) if finding.grade != "good"]
    assert (found.about, found.grade) == (about, grade)
    assert found.means
    assert found.advice


@pytest.mark.parametrize(
    ("sink", "grades"),
    [
        (SinkState("books", "http"), ["good"]),
        (SinkState("gone", "http", waiting=2), ["bad"]),
        (SinkState("gone", "http"), ["good"]),
        (SinkState("books", "http", gate={"paused": "1"}), ["warning"]),
        (SinkState("books", "http", gate={"until": str(2 * HOUR), "reason": "401"}), ["bad"]),
        (SinkState("books", "http", gate={"until": "1"}), ["good"]),
        (SinkState("books", "http", held=1, dead=2), ["warning", "warning"]),
    ],
)
def test_a_sink_that_is_closed_orphaned_or_has_given_up_is_told(sink, grades):
    found = list(of_sinks(examined(sinks=[sink]), {"books"}))
    assert [finding.grade for finding in found] == grades


def heard(**more) -> SourceHealth:
    return SourceHealth(**{"received": 1, "checked_at": HOUR, "last_at": HOUR, "hook": "enabled", **more})


@pytest.mark.parametrize(
    ("one", "grade", "found"),
    [
        (heard(), "good", "its hook is enabled"),
        (heard(hook="disabled"), "bad", "disabled"),
        (heard(last_at=0, gaps=[60_000] * 5), "bad", "silent"),
        (heard(hook="missing"), "warning", "not registered"),
        (heard(hook="unknown", problem="429"), "warning", "last heard"),
        (heard(last_at=None), "good", "its hook is enabled, never heard"),
        (None, "warning", "unknown"),
    ],
)
def test_a_source_s_hook_and_silence_are_told(one, grade, found):
    (finding,) = of_sources({"acme": one})
    assert finding.grade == grade
    assert finding.found.startswith(found)
