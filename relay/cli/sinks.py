"""`relay sinks`: whether those that deliveries go to are as their settings say."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context import config, with_tools
from relay.cli.output import print_json, print_table
from relay.config.findings import did_you_mean
from relay.errors import ConfigError
from relay.live_config import make_sinks
from relay.model import Record
from relay.sinks.base import Probe, Sink
from relay.sinks.tools import Tools

app = typer.Typer(name="sinks", help="Where deliveries go.", no_args_is_help=True)


@app.callback()
def _several() -> None:
    """Where deliveries go."""


class Probed(Record):
    """What a free call to a sink came to. `ok` None: there is no such call."""

    sink: str
    type: str
    ok: bool | None
    said: str


@app.command()
def probe(
    name: Annotated[str | None, typer.Argument(help="One sink; by default all.", show_default=False)] = None,
    json: options.Json = False,
) -> None:
    """Make the free call that each sink has, and say in plain words what is wrong. Nothing is sent to anybody."""
    sinks = _chosen(make_sinks(config()), name)
    found = with_tools(lambda tools: _probe(sinks, tools))
    if json:
        print_json(found)
    else:
        print_table(("sink", "type", "", "what it says"), map(_row, found))
    if any(probed.ok is False for probed in found):
        raise typer.Exit(1)


def _chosen(sinks: Mapping[str, Sink], name: str | None) -> list[Sink]:
    if name is None:
        return list(sinks.values())
    if name not in sinks:
        raise ConfigError(f"unknown sink {name}, {did_you_mean(name, sinks)}")
    return [sinks[name]]


async def _probe(sinks: Iterable[Sink], tools: Tools) -> list[Probed]:
    return [_probed(sink, await sink.probe(tools)) for sink in sinks]


def _probed(sink: Sink, answer: Probe | None) -> Probed:
    if answer is None:
        return Probed(sink=sink.name, type=sink.type, ok=None, said="it has no free call to ask by")
    return Probed(sink=sink.name, type=sink.type, ok=answer.ok, said=answer.said)


def _row(probed: Probed) -> tuple[object, ...]:
    verdict = {True: "ok", False: "wrong", None: "not asked"}[probed.ok]
    return probed.sink, probed.type, verdict, probed.said
