"""`relay stats`: counts, rates, latencies, and how the sinks stand."""

from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context.store import with_reader
from relay.cli.display.output import print_json, print_lines, print_table
from relay.cli.display.stats import SINK_COLUMNS, format_stats, sink_row
from relay.operations.stats import measure_stats


def stats(
    over: Annotated[float, typer.Option(min=0.1, help="Measure rates over so many seconds.")] = 1.0,
    json: options.JsonOption = False,
) -> None:
    """Show counts, rates and latencies, and of each sink what waits and whether its gate is closed."""
    measured = with_reader(lambda reader: measure_stats(reader, over))
    if json:
        print_json(measured, reveal=True)
        return
    print_lines(format_stats(measured), reveal=True)
    print_table(SINK_COLUMNS, (sink_row(sink, measured.at) for sink in measured.sinks), reveal=True)
