"""Format problems in lines. Pure."""

from collections.abc import Iterator, Sequence

from relay.operations.problems import Problem, ProblemState, say_how_many
from relay.timefmt import format_time


def format_problems(problems: Sequence[Problem], *, muted: bool) -> Iterator[str]:
    """Format all problems, those that are muted only if they are wanted; first in a sentence how many there are."""
    yield say_how_many(problems)
    left_out = 0
    for problem in problems:
        if problem.state is ProblemState.MUTED and not muted:
            left_out += 1
        else:
            yield from format_problem(problem)
    if left_out:
        yield f"{left_out} muted: relay problems list --muted"


def format_problem(problem: Problem) -> Iterator[str]:
    """Format one problem: what it is, since when, what it means, and what helps."""
    yield f"{problem.grade:<8}{problem.about}: {problem.found}"
    since = f" since {format_time(problem.since)}" if problem.since is not None else ""
    yield f"        {problem.id}: {_state(problem)}{since}"
    if problem.means:
        yield f"        means: {problem.means}"
    if problem.act is not None:
        yield f"        do:    {problem.act.command}"
    if problem.advice and (problem.act is None or problem.advice != problem.act.command):
        yield f"        {'do:   ' if problem.act is None else '      '} {problem.advice}"


def _state(problem: Problem) -> str:
    if problem.state is ProblemState.NEW:
        return "new"
    until = f" until {format_time(problem.muted_until)}" if problem.state is ProblemState.MUTED else ""
    why = f": {problem.why}" if problem.why else ""
    return f"{problem.state}{until} by {problem.by}{why}"
