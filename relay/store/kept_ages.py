"""For how long finished receipts are kept, by source and by what became of them. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from relay.durations import format_exact_duration
from relay.model import Record

if TYPE_CHECKING:  # what only reads the store needs no configuration
    from relay.config.schema import KeptStates, RetentionSection

_DEAD: Final = "dead"


class KeptKind(Record):
    """The lists of receipts that are kept likewise, and their ages: the longest, and all shorter ones.

    `rules`: how the audit calls those by which receipts with a dead letter go.
    """

    lists: Sequence[str]
    longest: int
    shorter: Sequence[int]
    rules: Mapping[int, str] = {}


class KeptAges(Record):
    """The ages of all finished receipts. `by_source`: of each state ("finished": of any other); "" is any source."""

    by_source: Mapping[str, Mapping[str, int]]
    finished: KeptKind
    dead: KeptKind

    @property
    def kinds(self) -> tuple[KeptKind, KeptKind]:
        """Return the kinds of lists."""
        return self.finished, self.dead

    @property
    def digest(self) -> str:
        """Return what tells these ages from others."""
        return hashlib.sha256(msgspec.json.encode(self.by_source, order="deterministic")).hexdigest()[:16]

    def age_of(self, source: str, states: Sequence[str]) -> int:
        """Return for how long a receipt is kept whose deliveries, or itself, came to these states."""
        ages = self.by_source.get(source, self.by_source[""])
        return max(ages.get(state, ages["finished"]) for state in states)

    def shortest(self, source: str) -> int:
        """Return for how long the first of a source's finished receipts are kept that could be read."""
        ages = self.by_source.get(source, self.by_source[""])
        return min(age for state, age in ages.items() if state not in ("malformed", _DEAD))


def kept_ages(keep: "RetentionSection") -> KeptAges:
    """Return the ages that a configuration gives. A state of a source goes before its `finished`, that before all's."""
    by_source = {"": _ages(keep, keep.finished, keep.dead, {})}
    for name, own in keep.sources.items():
        states = {} if own.finished is not None else by_source[""]
        finished = keep.finished if own.finished is None else own.finished
        by_source[name] = _ages(own, finished, keep.dead if own.dead is None else own.dead, states)
    ended = {age for ages in by_source.values() for state, age in ages.items() if state != _DEAD}
    dead = {ages[_DEAD] for ages in by_source.values()}
    rules = {ages[_DEAD]: _rule(name, ages[_DEAD]) for name, ages in reversed(by_source.items())}
    return KeptAges(
        by_source=by_source,
        finished=KeptKind(lists=("finished", "finished:packed"), longest=max(ended), shorter=sorted(ended)[:-1]),
        dead=KeptKind(lists=("finished:dead",), longest=max(dead), shorter=sorted(dead)[:-1], rules=rules),
    )


def _ages(given: "KeptStates", finished: int, dead: int, otherwise: Mapping[str, int]) -> dict[str, int]:
    from relay.config.schema import KeptStates

    states = {state: getattr(given, state) for state in KeptStates.model_fields}
    found = {state: otherwise.get(state, finished) if age is None else age for state, age in states.items()}
    return {**found, "finished": finished, _DEAD: dead}


def _rule(source: str, age: int) -> str:
    return f"retention.{f'sources.{source}.' if source else ''}dead: {format_exact_duration(age)}"
