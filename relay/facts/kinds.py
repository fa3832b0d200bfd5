"""The kinds of the relay's own facts, and what conditions and templates see of each."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from relay.model import Record

FactViews: TypeAlias = Mapping[str, Mapping[str, str]]
"""The views of a fact as it is written: the fields of each, as texts."""

OWN_SOURCE: Final = "_relay"
"""The source of all facts. No source of a configuration can have this name, and no hook comes from it."""


DELIVERED: Final = "delivered"
"""The fact that a delivery arrived: for the routes that follow its route, each alone, with its event and the answer."""

ANSWER: Final = "answer"
"""The view of that fact with what the sink replied."""


class FactKind(Record):
    """What a fact is about (`entity`), what happened to that (`action`), and the view that conditions look at."""

    entity: str
    action: str
    view: str


FACTS: Final[Mapping[str, FactKind]] = MappingProxyType(
    {
        "delivery_dead": FactKind(entity="delivery", action="dead", view="delivery"),
        "delivery_held": FactKind(entity="delivery", action="held", view="delivery"),
        DELIVERED: FactKind(entity="delivery", action="delivered", view="delivery"),
        "sink_closed": FactKind(entity="sink", action="closed", view="sink"),
        "sink_opened": FactKind(entity="sink", action="opened", view="sink"),
        "source_silent": FactKind(entity="source", action="silent", view="source"),
        "hook_disabled": FactKind(entity="source", action="disabled", view="source"),
        "store_nearly_full": FactKind(entity="store", action="filling", view="problem"),
        "drift": FactKind(entity="account", action="drifted", view="problem"),
        "budget_reached": FactKind(entity="sink", action="limited", view="problem"),
    }
)
"""Every kind by its name. The scripts of the store write them: `delivery_…` and `sink_…` where the state changes, the
others where a problem is noted as open, or a quota as reached."""

_FACT: Final = frozenset({"kind", "count", "since", "at", "each", "title", "text", "link"})
_SINK: Final = frozenset({"name", "type"})
_PROBLEM: Final = frozenset({"kind", "subject", "found", "means", "advice", "cause"})

FACT_VIEWS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = MappingProxyType(
    {
        "delivery": {
            "delivery": frozenset(
                [
                    "id",
                    "event",
                    "event_id",
                    "entity",
                    "entity_id",
                    "source",
                    "route",
                    "sink",
                    "state",
                    "reason",
                    "cause",
                    "attempts",
                ]
            ),
            "sink": _SINK,
            "source": frozenset({"name"}),
            "fact": _FACT,
        },
        "sink": {"sink": _SINK | {"route", "reason", "closed_by", "closed_at", "by"}, "fact": _FACT},
        "source": {"source": frozenset({"name"}), "problem": _PROBLEM, "fact": _FACT},
        "problem": {"problem": _PROBLEM, "fact": _FACT},
    }
)
"""The views that a fact has, by its main view, and the fields of each."""

_OF_PROBLEMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "source-silent": "source_silent",
        "hook-disabled": "hook_disabled",
        "store-nearly-full": "store_nearly_full",
        "store-full": "store_nearly_full",
        "drift": "drift",
    }
)


ANSWER_FIELDS: Final = frozenset({"status", "text", "id", "json"})


def fact_of_problem(kind: str) -> str | None:
    """Return the fact that it is when a problem of this kind opens; None: it is none."""
    return _OF_PROBLEMS.get(kind)


def asked_facts(routes: Iterable[tuple[frozenset[str], bool]], followed: Iterable[str] = ()) -> dict[str, str]:
    """Return which kinds routes ask for, and how: "grouped", "each" or both. Of a route: its events, whether each.

    `followed`: the routes that others follow; "delivered|" and its name stands for each.
    """
    asked: dict[str, set[str]] = {f"{DELIVERED}|{name}": {"each"} for name in followed}
    for on, each in routes:
        for kind in on & FACTS.keys() - {DELIVERED}:
            asked.setdefault(kind, set()).add("each" if each else "grouped")
    return {kind: " ".join(sorted(modes)) for kind, modes in sorted(asked.items())}
