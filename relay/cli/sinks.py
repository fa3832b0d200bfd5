"""`relay sinks`: whether the sinks can be delivered to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from relay.cli import options
from relay.cli.acts import ByOption, WhyOption, author
from relay.cli.completion import complete_sinks
from relay.cli.context.store import with_reader, with_store_and_reader
from relay.cli.display.gates import format_sink_story
from relay.cli.display.output import print_done, print_json, print_lines, print_table
from relay.cli.display.stats import STATE_COLUMNS, state_row
from relay.operations.failures import find_failures
from relay.operations.gates import SinkStory, pause_sink, read_sink_story, resume_sink
from relay.store.failures import FailureCause
from relay.store.queues import SinkState
from relay.store.reader import Reader
from relay.timefmt import format_time

if TYPE_CHECKING:  # most of these commands call nobody
    from relay.operations.probes import ProbedSink
    from relay.sinks.base import Sink

app = typer.Typer(
    name="sinks", help="Show whether the sinks can be delivered to, pause them and let them go on.",
    no_args_is_help=True,
)  # fmt: skip
COLUMNS = ("sink", "type", "", "answer")
FAILURE_COLUMNS = ("sink", "state", "count", "cause id", "first", "last", "cause")
SinkArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="SINK", show_default=False, autocompletion=complete_sinks)
]


@app.command("list")
def list_sinks(json: options.JsonOption = False) -> None:
    """List the sinks: what waits, is held and dead, what failed, and whether their gates are open."""
    sinks, now = with_reader(_read_sinks)
    if json:
        print_json(sinks)
    else:
        print_table(STATE_COLUMNS, (state_row(sink, now) for sink in sinks))


@app.command("show")
def show_sink(name: SinkArgument, json: options.JsonOption = False) -> None:
    """Show the state of a sink, and what became of its gate: when it was closed, paused and opened, and why."""

    async def read(reader: Reader) -> tuple[SinkStory, int]:
        return await read_sink_story(reader, name), await reader.now()

    story, now = with_reader(read)
    if json:
        print_json(story)
    else:
        print_lines(format_sink_story(story, now))


@app.command("failures")
def list_failures(
    name: Annotated[
        str | None,
        typer.Argument(help="A sink; default: all of them.", show_default=False, autocompletion=complete_sinks),
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """List why deliveries are held or dead, each cause with its count; `deliveries list --cause` lists those of one."""
    causes = with_reader(lambda reader: find_failures(reader, name))
    if json:
        print_json(causes)
    else:
        print_table(FAILURE_COLUMNS, map(_failure_row, causes))


def _failure_row(one: FailureCause) -> tuple[object, ...]:
    return one.sink, one.state, one.count, one.id, format_time(one.first), format_time(one.last), one.cause


@app.command()
def pause(
    name: SinkArgument,
    why: Annotated[str, typer.Option(help="Why; whoever sees it waiting is told.", show_default=False)],
    until: Annotated[
        str | None,
        typer.Option(help="Until then: 2h (from now), or 2026-11-23T14:30; default: until it is resumed."),
    ] = None,
    by: ByOption = None,
    json: options.JsonOption = False,
) -> None:
    """Let nothing leave for a sink: its deliveries wait, without attempts."""
    end = None if until is None else options.parse_end(until, "--until")
    print_done(with_store_and_reader(lambda s, r: pause_sink(s, r, name, author(by, why), end)), json=json)


@app.command()
def resume(name: SinkArgument, by: ByOption = None, why: WhyOption = "", json: options.JsonOption = False) -> None:
    """Let deliveries leave for a sink that is paused, or that its answers closed and you have mended."""
    print_done(with_store_and_reader(lambda s, r: resume_sink(s, r, name, author(by, why))), json=json)


async def _read_sinks(reader: Reader) -> tuple[list[SinkState], int]:
    return await reader.sinks(), await reader.now()


@app.command()
def probe(
    name: Annotated[
        str | None,
        typer.Argument(help="A sink; default: all of them.", show_default=False, autocompletion=complete_sinks),
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Check by a free call to each sink that key, money and settings are right. Nothing is delivered."""
    from relay.cli.context.account import with_tools
    from relay.cli.context.configuration import load_config
    from relay.operations.probes import probe_sinks
    from relay.sinks.registry import make_sinks

    sinks = _choose(make_sinks(load_config()), name)
    probed = with_tools(lambda tools: probe_sinks(sinks, tools))
    if json:
        print_json(probed)
    else:
        print_table(COLUMNS, map(_row, probed))
    if any(sink.ok is False for sink in probed):
        raise typer.Exit(1)


def _choose(sinks: Mapping[str, "Sink"], name: str | None) -> list["Sink"]:
    from relay.config.suggestions import did_you_mean
    from relay.errors import ConfigError

    if name is None:
        return list(sinks.values())
    if name not in sinks:
        raise ConfigError(f"unknown sink {name}, {did_you_mean(name, sinks)}")
    return [sinks[name]]


def _row(sink: "ProbedSink") -> tuple[object, ...]:
    return sink.sink, sink.type, {True: "ok", False: "wrong", None: "not asked"}[sink.ok], sink.message
