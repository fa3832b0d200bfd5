"""Print JSON for programs, tables and lines for people. Without `reveal`, personal data and secrets are masked.

Whatever is printed, what a terminal would obey is escaped (`relay.printable`).
"""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

import msgspec
import typer

from relay.masking import mask_people, mask_people_in_json, mask_secrets, mask_secrets_in_json
from relay.model import Json
from relay.printable import escape_json, escape_line, escape_lines

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 1000  # a pipe has no width of its own, and lines must not break for `grep`


def console() -> "Console":
    """Return a console on stdout."""
    from rich.console import Console  # most commands print without

    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


def print_json(value: object, *, reveal: bool = False) -> None:
    """Print records as JSON."""
    built = cast(Json, msgspec.to_builtins(value))
    shown = built if reveal else mask_people_in_json(mask_secrets_in_json(built))
    encoded = msgspec.json.format(msgspec.json.encode(shown)).decode()
    sys.stdout.buffer.write(escape_json(encoded).encode() + b"\n")
    sys.stdout.buffer.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, reveal: bool = False) -> None:
    """Print rows. Only the last column wraps: ids stay in one piece."""
    texts = [["" if cell is None else _printable(str(cell), reveal=reveal) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        _print_plain_table([list(columns), *texts])
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column != columns[-1])
    for row in texts:
        table.add_row(*row)
    console().print(table, markup=False)


def _print_plain_table(rows: Sequence[Sequence[str]]) -> None:
    """Print a row a line, for `grep` and `awk`: nothing wraps, and rich is not imported."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_lines(lines: Iterable[str], *, reveal: bool = False) -> None:
    """Print lines unwrapped. A line end within one is escaped: what it quotes makes no lines."""
    for line in lines:
        typer.echo(_printable(line, reveal=reveal))


def print_done(message: str, *, json: bool) -> None:
    """Print in a line what was done; for programs as the JSON API says it."""
    if json:
        print_json({"message": message})
    else:
        print_message(message)


def print_message(text: str, *, error: bool = False) -> None:
    """Print a message of one or more lines, on stderr where it is an `error` or beside what a program reads."""
    typer.echo(escape_lines(text), err=error)


def _printable(text: str, *, reveal: bool) -> str:
    return escape_line(text if reveal else mask_people(mask_secrets(text)))
