"""`relay doctor`: the store, the configuration, the sinks and the sources, looked at once."""

import time
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from relay.accounts.source_health import load
from relay.cli import options
from relay.cli.context import config, settings, with_reader
from relay.cli.diagnosis import Diagnosis, Examination, of_config, of_sinks, of_sources, of_store
from relay.cli.output import print_json, print_lines
from relay.config.load import Config
from relay.store.health import read_durability, read_memory_use
from relay.store.reader import Reader
from relay.store.shared_state import SharedState


def doctor(
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    json: options.Json = False,
) -> None:
    """Look at the store, the configuration, the sinks and the sources. Exit status 1 where something is bad."""
    found = config()
    namespace = settings().namespace
    examined = with_reader(lambda reader: _examine(reader, found, namespace))
    findings = [*of_config(found), *of_store(examined), *of_sinks(examined, found.sinks), *of_sources(examined.heard)]
    if json:
        print_json(findings)
    else:
        print_lines(_format_diagnoses(findings))
    if any(finding.grade == "bad" or (strict and finding.grade == "warning") for finding in findings):
        raise typer.Exit(1)


async def _examine(reader: Reader, found: Config, namespace: str) -> Examination:
    shared = SharedState(reader.client, namespace)
    asked = time.time_ns() // 1_000_000
    now = await reader.now()
    between = (asked + time.time_ns() // 1_000_000) // 2
    return Examination(
        durability=await read_durability(reader.client, reader.keys.prefix + "probe"),
        room=await read_memory_use(reader.client),
        skew_ms=now - between,
        oldest_unrouted_ms=await reader.oldest_unrouted(now),
        sinks=await reader.sinks(),
        heard={name: await load(shared, name) for name, source in found.sources.items() if source.api},
        now=now,
    )


def _format_diagnoses(findings: Sequence[Diagnosis]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.grade:<8}{finding.about}: {finding.found}"
        if finding.means:
            yield f"        means: {finding.means}"
        if finding.advice:
            yield f"        do:    {finding.advice}"
