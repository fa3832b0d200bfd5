"""`relay doctor`: the store, the configuration, the sinks and the sources, looked at once."""

import time
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from relay.accounts.silence import load
from relay.cli import options
from relay.cli.diagnosis import Examined, Finding, of_config, of_sinks, of_sources, of_store
from relay.cli.opening import config, reading, settings
from relay.cli.output import print_json, print_lines
from relay.config.load import Config
from relay.store.health import durability, room
from relay.store.notes import Notes
from relay.store.reading import Reader


def doctor(
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    json: options.Json = False,
) -> None:
    """Look at the store, the configuration, the sinks and the sources. Exit status 1 where something is bad."""
    found = config()
    namespace = settings().namespace
    examined = reading(lambda reader: _examine(reader, found, namespace))
    findings = [*of_config(found), *of_store(examined), *of_sinks(examined, found.sinks), *of_sources(examined.heard)]
    if json:
        print_json(findings)
    else:
        print_lines(_told(findings))
    if any(finding.grade == "bad" or (strict and finding.grade == "warning") for finding in findings):
        raise typer.Exit(1)


async def _examine(reader: Reader, found: Config, namespace: str) -> Examined:
    notes = Notes(reader.client, namespace)
    asked = time.time_ns() // 1_000_000
    now = await reader.now()
    between = (asked + time.time_ns() // 1_000_000) // 2
    return Examined(
        durability=await durability(reader.client, reader.keys.prefix + "probe"),
        room=await room(reader.client),
        skew_ms=now - between,
        oldest_unrouted_ms=await reader.oldest_unrouted(now),
        sinks=await reader.sinks(),
        heard={name: await load(notes, name) for name, source in found.sources.items() if source.api},
        now=now,
    )


def _told(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.grade:<8}{finding.about}: {finding.found}"
        if finding.means:
            yield f"        means: {finding.means}"
        if finding.advice:
            yield f"        do:    {finding.advice}"
