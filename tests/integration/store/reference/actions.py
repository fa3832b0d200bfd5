"""How what may happen is written down, and what it happens to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from relay.model import DecisionKind, DeliveryState, Outcome
from relay.store.keys import INBOX, JOBS
from tests.integration.store.reference.driver import ACCOUNT, SINKS, Driver

MINUTE, HOUR = 60_000, 3_600_000
workers = st.sampled_from(["w1", "w2", "w3"])
sinks = st.sampled_from(SINKS)
queues = st.sampled_from([INBOX, JOBS, ACCOUNT, *(f"sink:{sink}" for sink in SINKS)])
recent = st.integers(0, 4)  # counted from what came last: what was taken long ago is mostly done
few = st.integers(1, 3)
lost = st.sampled_from([False, False, False, True])
as_made = st.sampled_from(
    [*[DeliveryState.PENDING] * 5, DeliveryState.SKIPPED, DeliveryState.DEAD, DeliveryState.SHADOWED]
)
once_keys = st.sampled_from(["", "", "o1", "o2"])
keys = st.sampled_from(  # of order, of latest
    [("", "")] * 4 + [("a1", ""), ("a2", ""), ("", "b1"), ("a1", "b1"), ("a2", "b2")]
)
plans = st.lists(st.tuples(once_keys, sinks, as_made, st.booleans(), keys), max_size=3)
delays = st.sampled_from([0, 1000, MINUTE])
KEEPS = {"kind": DecisionKind.RETRY, "state": DeliveryState.PENDING, "keeps_mark": True}
DECISIONS = {
    Outcome.RETRY: [
        {},
        {"keeps_mark": True},
        {"kind": DecisionKind.WAIT, "consumed": False},
        {"asked_ms": 5000, "delay_ms": 5000},
    ],
    Outcome.UNKNOWN: [{"keeps_mark": True}, KEEPS],
    Outcome.BLOCKED: [
        {"gate_ms": MINUTE},
        {"gate_ms": MINUTE, "gate_scope": "route"},
        {"gate_ms": MINUTE, "gate_sure": True},
    ],
}
outcomes = st.sampled_from([*Outcome, Outcome.DELIVERED, Outcome.DELIVERED]).flatmap(
    lambda outcome: st.tuples(st.just(outcome), st.sampled_from(DECISIONS.get(outcome, [{}])), delays)
)


@dataclass(frozen=True)
class Action:
    """Something that may happen, with arguments; so often, and only where it can."""

    happen: Callable[..., None]
    weight: int
    when: Callable[[Driver], object]
    arguments: st.SearchStrategy[dict[str, Any]]

    def __repr__(self) -> str:
        return self.happen.__name__


def action(weight: int = 1, when: Callable[[Driver], object] = lambda driver: True, **arguments):
    """Make an action of a function of the driver and of what is drawn."""
    return lambda happen: Action(happen, weight, when, st.fixed_dictionaries(arguments))


def pick(items, n: int):
    return items[-1 - n % len(items)]
