"""`relay sinks`: whether the sinks can be delivered to."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
import typer

from relay.cli import options
from relay.cli.context.account import with_tools
from relay.cli.context.configuration import load_config
from relay.cli.display.output import print_json, print_table
from relay.config.suggestions import did_you_mean
from relay.errors import ConfigError
from relay.masking import mask_secrets
from relay.model import Record
from relay.sinks.base import ProbeResult, Sink
from relay.sinks.registry import make_sinks
from relay.sinks.tools import Tools

app = typer.Typer(name="sinks", help="Check that sinks can be delivered to.", no_args_is_help=True)
COLUMNS = ("sink", "type", "", "answer")


@app.callback()
def _keep_subcommands() -> None:  # without a callback Typer would make the only command the group itself
    """Check that sinks can be delivered to."""


class ProbedSink(Record):
    """The answer of a sink to its free call. `ok` None: it has no such call."""

    sink: str
    type: str
    ok: bool | None
    message: str = msgspec.field(name="said")


@app.command()
def probe(
    name: Annotated[str | None, typer.Argument(help="A sink; default: all of them.", show_default=False)] = None,
    json: options.JsonOption = False,
) -> None:
    """Check by a free call to each sink that key, money and settings are right. Nothing is delivered."""
    sinks = _choose(make_sinks(load_config()), name)
    probed = with_tools(lambda tools: _probe(sinks, tools))
    if json:
        print_json(probed)
    else:
        print_table(COLUMNS, map(_row, probed))
    if any(sink.ok is False for sink in probed):
        raise typer.Exit(1)


def _choose(sinks: Mapping[str, Sink], name: str | None) -> list[Sink]:
    if name is None:
        return list(sinks.values())
    if name not in sinks:
        raise ConfigError(f"unknown sink {name}, {did_you_mean(name, sinks)}")
    return [sinks[name]]


async def _probe(sinks: Iterable[Sink], tools: Tools) -> list[ProbedSink]:
    return [_probed(sink, await sink.probe(tools.of(sink.asker, sink.proxy))) for sink in sinks]


def _probed(sink: Sink, probe: ProbeResult | None) -> ProbedSink:
    ok, answer = (probe.ok, probe.message) if probe else (None, "it has no free call")
    message = "; ".join(filter(None, (answer, sink.remark)))
    return ProbedSink(sink=sink.name, type=sink.type, ok=ok, message=mask_secrets(message, sink.hidden_anywhere))


def _row(sink: ProbedSink) -> tuple[object, ...]:
    return sink.sink, sink.type, {True: "ok", False: "wrong", None: "not asked"}[sink.ok], sink.message
