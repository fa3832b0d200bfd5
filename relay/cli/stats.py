"""`relay stats`: counts, rates, latencies, and how the sinks stand."""

from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context.store import with_reader
from relay.cli.display.output import print_json, print_lines, print_table
from relay.cli.display.stats import SINK_COLUMNS, format_stats, sink_row
from relay.operations.minutes import read_minutes
from relay.operations.stats import measure_stats
from relay.timefmt import format_time


def stats(
    over: Annotated[float, typer.Option(min=0.1, help="Measure rates over so many seconds.")] = 1.0,
    minutes: Annotated[
        int | None, typer.Option(min=1, max=180, help="Instead, show what was counted in each of so many minutes.")
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Show counts, rates and latencies, and of each sink what waits and whether its gate is closed."""
    if minutes is not None:
        _show_minutes(minutes, json=json)
        return
    measured = with_reader(lambda reader: measure_stats(reader, over))
    if json:
        print_json(measured, reveal=True)
        return
    print_lines(format_stats(measured), reveal=True)
    print_table(SINK_COLUMNS, (sink_row(sink, measured.at) for sink in measured.sinks), reveal=True)


def _show_minutes(count: int, *, json: bool) -> None:
    numbers = with_reader(lambda reader: read_minutes(reader, count))
    if json:
        print_json(numbers, reveal=True)
        return
    marks = {mark.index: f"configuration {mark.version}" for mark in numbers.marks}
    counted = enumerate(zip(numbers.receipts, numbers.delivered, numbers.failed, strict=True))
    print_table(
        ("minute", "receipts", "delivered", "failed attempts", ""),
        ((format_time(numbers.since + 60_000 * n), *map(_count, row), marks.get(n, "")) for n, row in counted),
    )


def _count(number: float | None) -> str:
    """Write a number; where nobody sampled it, a dash."""
    return "-" if number is None else f"{number:g}" if number == int(number) else f"{number:.1f}"
