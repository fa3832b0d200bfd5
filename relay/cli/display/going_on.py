"""Say how far a list has looked, and by which command it goes on."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Any

import typer

from relay.cli.display.output import print_message
from relay.operations.search import FoundPage, format_cursor
from relay.store.wire.lists import Cursor
from relay.timefmt import format_time


def print_how_to_go_on(context: typer.Context, page: FoundPage[Any]) -> None:
    """Print it where there may be more, on stderr: stdout is the list, which a program may read."""
    if page.next is not None:
        print_next_command(context, f"{_format_progress(page, page.next)}; ", "--after", format_cursor(page.next))


def print_next_command(context: typer.Context, progress: str, option: str, value: str) -> None:
    """Print the command that was given, with the option by which it goes on, on stderr."""
    command = shlex.join([*_names(context), *_given_options(context, option), option, value])
    print_message(f"{progress}go on with:\n{command}", error=True)


def print_hints(lines: Iterable[str]) -> None:
    """Print why a list may be empty, on stderr."""
    for line in lines:
        print_message(line, error=True)


def _format_progress(page: FoundPage[Any], cursor: Cursor) -> str:
    at = format_time(cursor.score)
    return f"{len(page.items)} listed; looked at {page.looked:,} of {page.total:,} {page.rows}, as far as {at}"


def _names(context: typer.Context) -> list[str]:
    group = context.parent
    of_group = group is not None and group.parent is not None
    return ["relay", *([group.info_name or ""] if group and of_group else []), context.info_name or ""]


def _given_options(context: typer.Context, going_on: str) -> Iterator[str]:
    for parameter in context.command.params:
        name = parameter.name or ""
        value, source = context.params.get(name), context.get_parameter_source(name)
        if going_on in parameter.opts or source is None or source.name != "COMMANDLINE":
            continue
        yield parameter.opts[0]
        if not isinstance(value, bool):
            yield str(value)
