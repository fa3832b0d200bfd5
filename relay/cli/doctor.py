"""`relay doctor`: what is wrong with the running relay, and what to do about it."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context import load_config, load_settings, with_reader
from relay.cli.display.output import print_json, print_lines
from relay.operations.diagnosis import Diagnosis, diagnose
from relay.operations.examination import examine


def doctor(
    strict: Annotated[bool, typer.Option("--strict", help="Exit with status 1 for warnings too.")] = False,
    json: options.JsonOption = False,
) -> None:
    """Check the configuration, the store, the sinks and the sources. Exits with status 1 where something is bad."""
    config, namespace = load_config(), load_settings().namespace
    diagnoses = diagnose(with_reader(lambda reader: examine(reader, config, namespace)), config)
    if json:
        print_json(diagnoses)
    else:
        print_lines(_format_diagnoses(diagnoses))
    failing = ("bad", "warning") if strict else ("bad",)
    if any(diagnosis.grade in failing for diagnosis in diagnoses):
        raise typer.Exit(1)


def _format_diagnoses(diagnoses: Iterable[Diagnosis]) -> Iterator[str]:
    for diagnosis in diagnoses:
        yield f"{diagnosis.grade:<8}{diagnosis.about}: {diagnosis.found}"
        if diagnosis.means:
            yield f"        means: {diagnosis.means}"
        if diagnosis.advice:
            yield f"        do:    {diagnosis.advice}"
