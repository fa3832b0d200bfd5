"""`relay check`: find the mistakes of the configuration file before it is used."""

from pathlib import Path
from typing import Annotated

import typer

from relay.cli import options
from relay.cli.display.output import print_json, print_message
from relay.config.environment import ProcessSettings, environ
from relay.config.load import load_file
from relay.errors import ConfigError
from relay.operations.config_state import ConfigState, describe_config, describe_refused
from relay.processes.running import SANDBOX, choose_running
from relay.sinks.registry import sink_types


def check(
    file: Annotated[Path | None, typer.Argument(help="Default: RELAY_CONFIG, else config/relay.yaml.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse also what is not fit for production, such as default secrets.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Check the configuration file. Shows where each mistake is (file:line:column) and what would be right."""
    if json:
        _print_state(file, strict=strict)
        return
    path, state = _check(file)
    findings = "\n".join(state.findings)
    if findings and strict:
        raise ConfigError(findings)
    if findings:
        print_message(findings, error=True)
    counts = f"{len(state.sources)} source(s), {len(state.routes)} route(s), {len(state.sinks)} sink(s)"
    print_message(f"{path} is valid: {counts}, version {state.version}")


def _print_state(file: Path | None, *, strict: bool) -> None:
    try:
        state = _check(file)[1]
    except ConfigError as error:
        state = describe_refused(str(error))
    print_json(state)
    if state.error is not None or (strict and state.findings):
        raise typer.Exit(1)


def _check(file: Path | None) -> tuple[str, ConfigState]:
    """Return where the file is, and what it says. Raises ConfigError."""
    variables = {**_sandbox_address(), **environ()}
    settings = ProcessSettings.from_environ(variables)  # also for another file: a bad REDIS_URL stops every process
    path = str(file) if file else settings.config_path
    return path, describe_config(load_file(path, environ=variables, sink_types=sink_types()), path, None)


def _sandbox_address() -> dict[str, str]:
    """Return the variable by which a configuration names the fake vendors, where some run in this folder."""
    running, _ = choose_running({})
    return {name: value for name, value in running.items() if name in SANDBOX}
