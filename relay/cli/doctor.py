"""`relay doctor`: what is wrong with the running relay, and what to do about it."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated

import msgspec
import typer

from relay.cli import options
from relay.cli.context.environment import command_environ
from relay.cli.context.store import open_shards, reader_of
from relay.cli.display.output import print_json, print_lines
from relay.config.config import Config
from relay.config.environment import CONFIG_VARIABLES, STORE_VARIABLES, ProcessSettings
from relay.config.load import load_file
from relay.errors import ConfigError, StoreUnavailable
from relay.operations.config_diagnosis import diagnose_broken_config, diagnose_config
from relay.operations.diagnosis import Diagnosis
from relay.operations.doctor import diagnose
from relay.operations.examination import Examination, examine, examine_broker
from relay.sinks.registry import sink_types


def doctor(
    strict: Annotated[bool, typer.Option("--strict", help="Exit with status 1 for warnings too.")] = False,
    json: options.JsonOption = False,
) -> None:
    """Check the configuration, the store, the broker, the workers, the sinks and the sources.

    What cannot be examined is said, and the rest is. Exits with status 1 where something is bad.
    """
    diagnoses = _diagnose_all(command_environ())
    if json:
        print_json(diagnoses)
    else:
        print_lines(_format_diagnoses(diagnoses))
    failing = ("bad", "warning") if strict else ("bad",)
    if any(diagnosis.grade in failing for diagnosis in diagnoses):
        raise typer.Exit(1)


def _diagnose_all(variables: Mapping[str, str]) -> list[Diagnosis]:
    settings, found = _read_settings(variables)
    config, of_config = _read_config(settings.config_path, variables)
    found += of_config
    if settings.redis_url is None or settings.broker_url is None:
        lacking = "REDIS_URL is not set, and no relay runs in this folder"
        means = "nothing but the configuration can be examined"
        store = Diagnosis(
            about="store",
            grade="bad",
            found=lacking,
            means=means,
            advice="relay up or relay dev starts one here; REDIS_URL names the store of one elsewhere",
            kind="store-unknown",
        )
        return [*found, store]
    sources = config.sources_with_api if config else ()
    examination = asyncio.run(_examine(settings.redis_url, settings.broker_url, settings.namespace, sources))
    if config is None:
        return [*found, *diagnose(examination, None)]
    return [*found, *diagnose(examination, config.sinks, config.retention)]


def _read_settings(variables: Mapping[str, str]) -> tuple[ProcessSettings, list[Diagnosis]]:
    """Return the settings, and what is wrong: then of those that say where the store is, where they are right."""
    found: list[Diagnosis] = []
    for names in (variables.keys(), STORE_VARIABLES, CONFIG_VARIABLES):
        try:
            return ProcessSettings.from_environ({name: variables[name] for name in names if name in variables}), found
        except ConfigError as error:
            found = found or list(diagnose_broken_config("environment", str(error).splitlines()))
    raise AssertionError("a path may be anything")


def _read_config(path: str, variables: Mapping[str, str]) -> tuple[Config | None, list[Diagnosis]]:
    try:
        config = load_file(path, environ=variables, sink_types=sink_types())
    except ConfigError as error:
        return None, list(diagnose_broken_config("configuration", str(error).splitlines()))
    return config, list(diagnose_config(config.version, config.findings))


async def _examine(url: str, broker_url: str, namespace: str, sources: Iterable[str]) -> Examination:
    shards = open_shards(url, namespace)
    try:
        with suppress(StoreUnavailable):  # the first shard is away: that is what is found
            await shards.refresh()
        examination = await examine(reader_of(shards), sources)
    finally:
        await shards.aclose()
    return msgspec.structs.replace(examination, broker=await examine_broker(broker_url, namespace) or "")


def _format_diagnoses(diagnoses: Iterable[Diagnosis]) -> Iterator[str]:
    for diagnosis in diagnoses:
        yield f"{diagnosis.grade:<8}{diagnosis.about}: {diagnosis.found}"
        if diagnosis.means:
            yield f"        means: {diagnosis.means}"
        if diagnosis.advice:
            yield f"        do:    {diagnosis.advice}"
