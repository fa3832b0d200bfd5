"""`relay test`: whether routes do what cases expect of them."""

from pathlib import Path
from typing import Annotated

import typer

from relay.cases.junit import write_junit
from relay.cases.load import CASES_FOLDER, CaseLoader, case_files
from relay.cases.run import run_cases
from relay.cli import options
from relay.cli.context.environment import nonempty_environ
from relay.cli.display.cases import format_cases
from relay.cli.display.output import print_json, print_lines
from relay.config.environment import ProcessSettings
from relay.errors import ConfigError
from relay.masking import mask_people, mask_secrets
from relay.sinks.registry import sink_types


def test(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE…]", help="Files of cases. Default: cases/*.yaml beside the configuration."),
    ] = None,
    name: Annotated[str, typer.Option(help="Only cases with this in their name.")] = "",
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results as JUnit's XML, too.")] = None,
    json: options.JsonOption = False,
    reveal: options.RevealOption = False,
) -> None:
    """Run the cases of routes: given this hook, expect these deliveries. Needs no store, and asks nobody.

    It ends with 1 where a case fails, or a file is wrong.
    """
    variables = nonempty_environ()
    config_path = ProcessSettings.from_environ(variables).config_path
    found = files or case_files(config_path)
    if not found:
        folder = Path(config_path).parent / CASES_FOLDER
        raise ConfigError(f"there are no cases in {folder}: docs/cookbook.md shows some")
    report = run_cases(CaseLoader(config_path, variables, sink_types()).load(found), name)
    if not report.cases:
        raise ConfigError(f"no case has {name!r} in its name")
    if junit is not None:
        write_junit(report, junit, (lambda text: text) if reveal else _mask)
    if json:
        print_json(report, reveal=reveal)
    else:
        print_lines(format_cases(report, reveal=reveal), reveal=reveal)
    if report.failed:
        raise typer.Exit(1)


def _mask(text: str) -> str:
    return mask_people(mask_secrets(text))
