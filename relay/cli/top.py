"""`relay top`: numbers, problems and the newest events, followed on a terminal."""

import asyncio
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.acts import author
from relay.cli.context.configuration import load_config
from relay.cli.context.environment import load_settings
from relay.cli.context.store import with_reader
from relay.cli.display.output import print_json, print_lines
from relay.cli.display.top import draw_screen, format_snapshot, shown_problems
from relay.cli.display.top_screen import Act, Screen, press
from relay.config.config import Config
from relay.errors import RelayError
from relay.operations.people_keys import PeopleKey
from relay.operations.problems import ProblemState, mark_problem
from relay.operations.search_terms import read_terms
from relay.operations.snapshot import Snapshot, listed_snapshot, read_snapshot
from relay.store.reader import Reader

EVENTS = 100  # that are followed
LISTED = 10  # in a pipe


def top(
    every: Annotated[float, typer.Option(min=0.5, help="Look again after so many seconds.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print it once, as in a pipe.")] = False,
    json: options.JsonOption = False,
) -> None:
    """Follow numbers, problems and the newest events on a terminal; in a pipe print them once."""
    config = load_config()
    if json or once or not (sys.stdin.isatty() and sys.stdout.isatty()):
        snapshot = with_reader(lambda reader: _read(reader, config, "", LISTED))
        if json:
            print_json(listed_snapshot(snapshot))
        else:
            print_lines(format_snapshot(snapshot))
        return
    with_reader(lambda reader: _follow(reader, config, every))


async def _read(reader: Reader, config: Config, search: str, limit: int = EVENTS) -> Snapshot:
    secret = load_settings().secret_key
    terms = read_terms(search, await reader.now(), limit, PeopleKey(secret) if secret else None)
    return await read_snapshot(reader, config, terms)


async def _follow(reader: Reader, config: Config, every: float) -> None:
    from rich.console import Console
    from rich.live import Live

    from relay.cli.display.keyboard import read_keys  # only where there is a terminal

    console, screen, detail = Console(highlight=False), Screen(), list[str]()
    snapshot = await _read(reader, config, "")
    with read_keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            screen = screen.with_rows([one.id for one in shown_problems(snapshot)], [one.id for one in snapshot.events])
            live.update(draw_screen(snapshot, screen, console.width, console.height, detail), refresh=True)
            act: Act | None = "search"  # where no key is pressed, the same is read again
            with suppress(TimeoutError):
                screen, act = press(screen, await asyncio.wait_for(keys.get(), every))
            if act == "quit":
                return
            try:
                if act == "open":
                    detail = await _open(reader, screen, snapshot)
                if act == "seen":
                    await mark_problem(reader, snapshot.problems, screen.row, ProblemState.SEEN, author(None, ""))
                if act in ("seen", "search") and not (screen.paused and act == "search"):
                    snapshot = await _read(reader, config, screen.search)
                screen = replace(screen, trouble="")
            except RelayError as error:
                screen = replace(screen, trouble=str(error))


async def _open(reader: Reader, screen: Screen, snapshot: Snapshot) -> list[str]:
    """Return the lines of what is selected."""
    from relay.cli.display.problems import format_problem
    from relay.cli.display.story import format_story
    from relay.operations.story import read_event_story

    if screen.on_problem:
        return [line for one in snapshot.problems if one.id == screen.row for line in format_problem(one)]
    return list(format_story(await read_event_story(reader, screen.row)))
