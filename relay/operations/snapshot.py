"""All at a glance: the strip of numbers, the problems, and the newest events. What `relay top` shows."""

from collections.abc import Sequence

from relay.config.config import Config
from relay.model import Record
from relay.operations.listed_event import ListedEvent, listed_event
from relay.operations.problems import ListedProblem, Problem, listed_problem, read_problems
from relay.operations.search import FoundEvent, find_events
from relay.operations.search_terms import SearchTerms
from relay.operations.strip import StripNumber, read_strip
from relay.store.reader import Reader


class Snapshot(Record):
    """How the relay stands at a time of the store's clock."""

    at: int
    numbers: Sequence[StripNumber]
    problems: Sequence[Problem]
    events: Sequence[FoundEvent]  # the newest first


class ListedSnapshot(Record):
    """A snapshot as programs have it."""

    at: int
    numbers: Sequence[StripNumber]
    problems: Sequence[ListedProblem]
    events: Sequence[ListedEvent]


def listed_snapshot(snapshot: Snapshot) -> ListedSnapshot:
    """Return a snapshot as programs have it."""
    return ListedSnapshot(
        at=snapshot.at,
        numbers=snapshot.numbers,
        problems=[listed_problem(one) for one in snapshot.problems],
        events=[listed_event(one) for one in snapshot.events],
    )


async def read_snapshot(reader: Reader, config: Config, terms: SearchTerms) -> Snapshot:
    """Read it, with the newest events that a search finds. Raises StoreUnavailable."""
    problems = await read_problems(reader, config)
    page = await find_events(reader, terms.filter)
    numbers = await read_strip(reader, problems)
    events = page.items[: terms.filter.limit]
    return Snapshot(at=await reader.now(), numbers=numbers, problems=problems, events=events)
