"""`relay problems`: what needs a person, since when, and the one act that helps."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

import typer

from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.context.configuration import load_config
from relay.cli.context.store import with_reader
from relay.cli.display.output import print_done, print_json, print_lines
from relay.cli.display.problems import format_problem, format_problems
from relay.operations.problems import Problem, ProblemState, listed_problem, mark_problem, read_problems
from relay.store.reader import Reader

app = typer.Typer(
    name="problems", help="Show what needs you, since when, and the command that helps.", no_args_is_help=True
)
ProblemId: TypeAlias = Annotated[str, typer.Argument(metavar="PROBLEM_ID", show_default=False)]


def _read() -> list[Problem]:
    config = load_config()
    return with_reader(lambda reader: read_problems(reader, config))


@app.command("list")
def list_problems(
    muted: Annotated[bool, typer.Option("--muted", help="Those that are muted, too.")] = False,
    json: options.JsonOption = False,
) -> None:
    """List what needs you, worst first. Exits with status 1 where anything is bad and not muted."""
    problems = _read()
    open_ones = [problem for problem in problems if problem.state is not ProblemState.MUTED]
    if json:
        print_json([listed_problem(problem) for problem in (problems if muted else open_ones)])
    else:
        print_lines(format_problems(problems, muted=muted))
    if any(problem.grade == "bad" for problem in open_ones):
        raise typer.Exit(1)


@app.command("show")
def show_problem(id: ProblemId, json: options.JsonOption = False) -> None:
    """Show one problem: what it means, and what to do."""
    found = next((problem for problem in _read() if problem.id == id), None)
    if found is None:
        raise typer.BadParameter(f"no problem {id} is open: `relay problems list` shows those that are")
    if json:
        print_json(listed_problem(found))
    else:
        print_lines(format_problem(found))


def _mark(mark: Callable[[Reader, list[Problem]], Awaitable[str]], *, json: bool) -> None:
    config = load_config()

    async def work(reader: Reader) -> str:
        return await mark(reader, await read_problems(reader, config))

    print_done(with_reader(work), json=json)


@app.command()
def seen(id: ProblemId, by: ByOption = None, why: WhyOption = "", json: options.JsonOption = False) -> None:
    """Say that you have seen a problem. It stays in the list until it ends."""
    _mark(lambda reader, all: mark_problem(reader, all, id, ProblemState.SEEN, author(by, why)), json=json)


@app.command()
def mute(
    id: ProblemId,
    until: Annotated[str, typer.Option(help="2h (from now), or 2026-11-23T14:30.", show_default=False)],
    by: ByOption = None,
    why: WhyOption = "",
    json: options.JsonOption = False,
) -> None:
    """Leave a problem out of the list and its number until a time, or until it ends."""
    end = options.parse_end(until, "--until")
    _mark(lambda reader, all: mark_problem(reader, all, id, ProblemState.MUTED, author(by, why), end), json=json)


@app.command()
def unmute(id: ProblemId, by: ByOption = None, why: WhyOption = "", json: options.JsonOption = False) -> None:
    """Take back that a problem is seen or muted."""
    _mark(lambda reader, all: mark_problem(reader, all, id, ProblemState.NEW, author(by, why)), json=json)
