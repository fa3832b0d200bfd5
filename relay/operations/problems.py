"""What needs a person: the diagnoses that are not good, each with what people have said of it.

The home page, the doctor, `relay top` and the detail of `/readyz` show this one list.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from relay.config.config import Config
from relay.config.suggestions import did_you_mean
from relay.errors import RelayError, StoreUnavailable
from relay.model import Record
from relay.operations.config_diagnosis import diagnose_broken_config, diagnose_config
from relay.operations.diagnosis import Diagnosis, Grade, HelpfulAct
from relay.operations.doctor import diagnose
from relay.operations.examination import Examination, examine
from relay.store.acts import Author
from relay.store.problems import ProblemNote, ProblemNotes
from relay.store.reader import Reader
from relay.timefmt import format_time


class ProblemState(StrEnum):
    """What people have said of a problem."""

    NEW = "new"
    SEEN = "seen"
    MUTED = "muted"


class Problem(Diagnosis):
    """A diagnosis that is not good. `since`: when it began, or where nobody knows, when it was first found."""

    state: ProblemState = ProblemState.NEW
    by: str = ""
    why: str = ""
    said_at: int | None = None
    muted_until: int | None = None


class ListedProblem(Record):
    """A problem as programs read it: with its id."""

    id: str
    about: str
    grade: Grade
    found: str
    means: str
    advice: str
    kind: str
    subject: str
    since: int | None
    count: int | None
    cause: str
    act: HelpfulAct | None
    state: ProblemState
    by: str
    why: str
    said_at: int | None
    muted_until: int | None


def listed_problem(problem: Problem) -> ListedProblem:
    """Return a problem as programs read it."""
    return ListedProblem(id=problem.id, **msgspec.structs.asdict(problem))


async def read_problems(reader: Reader, config: Config, error: str | None = None) -> list[Problem]:
    """Read all problems, worst first and muted last. `error`: why the file as it is now is refused.

    Never raises StoreUnavailable: that is a problem.
    """
    examination = await examine(reader, config.sources_with_api)
    return await list_problems(reader, [*diagnose_all(examination, config, error)])


def diagnose_all(examination: Examination, config: Config, error: str | None = None) -> list[Diagnosis]:
    """Diagnose the configuration in force, the file where it is refused, and the relay. Pure."""
    refused = list(diagnose_broken_config("configuration", error.splitlines())) if error else []
    return [
        *refused,
        *diagnose_config(config.version, config.findings),
        *diagnose(examination, config.sinks, config.retention),
    ]


async def list_problems(reader: Reader, diagnoses: Iterable[Diagnosis]) -> list[Problem]:
    """Return the diagnoses that are not good as problems. Never raises StoreUnavailable."""
    try:
        notes, now = await ProblemNotes(reader.client, reader.namespace).read(), await reader.now()
    except StoreUnavailable:
        notes, now = {}, 0
    return as_problems(diagnoses, notes, now)


def as_problems(diagnoses: Iterable[Diagnosis], notes: Mapping[str, ProblemNote], now: int) -> list[Problem]:
    """Return the diagnoses that are not good as problems, worst first and muted last. Pure."""
    found = {one.id: one for one in diagnoses if one.grade != "good"}
    problems = [_problem(one, notes.get(id), now) for id, one in found.items()]
    return sorted(problems, key=lambda one: (one.state is ProblemState.MUTED, one.grade != "bad"))


def _problem(diagnosis: Diagnosis, note: ProblemNote | None, now: int) -> Problem:
    fields = msgspec.structs.asdict(diagnosis)
    if note is None:
        return Problem(**fields)
    fields["since"] = diagnosis.since if diagnosis.since is not None else note.first_at
    if note.state == ProblemState.MUTED and note.muted_until is not None and note.muted_until <= now:
        return Problem(**fields)
    return Problem(
        **fields,
        state=ProblemState(note.state),
        by=note.by,
        why=note.why,
        said_at=note.at,
        muted_until=note.muted_until,
    )


def count_open(problems: Iterable[Problem]) -> int:
    """Return how many problems need somebody: all that are not muted."""
    return sum(problem.state is not ProblemState.MUTED for problem in problems)


def say_how_many(problems: Iterable[Problem]) -> str:
    """Say in a sentence whether anything needs a person."""
    count = count_open(problems)
    return "All is well" if not count else "1 thing needs you" if count == 1 else f"{count} things need you"


async def mark_problem(
    reader: Reader, problems: Sequence[Problem], id: str, state: ProblemState, author: Author, until: int | None = None
) -> str:
    """Write that an open problem is seen, muted until a time (epoch milliseconds), or new again.

    Returns a line about it. Raises RelayError where there is no such problem, StoreUnavailable.
    """
    ids = [problem.id for problem in problems]
    if id not in ids:
        known = f", {did_you_mean(id, ids)}" if ids else ""
        raise RelayError(f"no problem {id} is open{known}: it may have ended")
    if state is ProblemState.MUTED and (until is None or until <= await reader.now()):
        raise RelayError("a problem is muted until a time that is to come: give one")
    await ProblemNotes(reader.client, reader.namespace).set_state(id, state, author, until)
    if state is ProblemState.MUTED:
        return f"{id}: muted until {format_time(until)}, or until it ends: one that comes back is new"
    return f"{id}: {state}"
