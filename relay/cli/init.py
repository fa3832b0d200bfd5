"""`relay init`: the files with which `relay up` runs, from five answers."""

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from relay.cli.display.output import print_lines, print_message
from relay.errors import ConfigError
from relay.scaffold import answers, files
from relay.scaffold.answers import Answers
from relay.scaffold.writing import write_files

T = TypeVar("T")


def init(
    account: Annotated[str | None, typer.Option(help="The amoCRM account: acme for acme.amocrm.ru.")] = None,
    url: Annotated[str | None, typer.Option(help="This relay's public address, https://relay.example.com.")] = None,
    sinks: Annotated[
        str | None, typer.Option(help=f"Where events go, with commas: {', '.join(answers.SINKS)}. Default: log.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Of the comments in the files: en or ru. Default: en.")] = None,
    folder: Annotated[str | None, typer.Option(help="Where to write. Default: the current one.")] = None,
) -> None:
    """Write config/relay.yaml with its cases, .env, .env.example and a systemd unit.

    What no option says is asked on a terminal.
    """
    program = _program()
    answered = Answers(
        account=_answer("--account", account, "amoCRM account (acme for acme.amocrm.ru)", None, answers.check_account),
        url=_answer("--url", url, "public address of this relay, that amoCRM calls", None, answers.check_url),
        sinks=_answer(
            "--sinks", sinks, f"sinks, with commas, of {', '.join(answers.SINKS)}", "log", answers.check_sinks
        ),
        language=_answer("--language", language, "language of the comments, en or ru", "en", answers.check_language),
        folder=_answer("--folder", folder, "folder", ".", answers.check_folder),
    )
    _write(answered, program)


def _answer(option: str, given: str | None, question: str, default: str | None, check: Callable[[str], T]) -> T:
    """Return what an option says, or a person, who may try again. Raises ConfigError."""
    asks = given is None and sys.stdin.isatty()
    while True:
        text = typer.prompt(question, default=default, err=True) if asks else given if given is not None else default
        if text is None:
            raise ConfigError(f"{option} is missing: there is no terminal to ask on; see relay init --help")
        try:
            return check(text)
        except ValueError as error:
            if not asks:
                raise ConfigError(f"{option}: {error}") from error
            print_message(str(error), error=True)


def _write(answered: Answers, program: str) -> None:
    config, drawn = files.make_config(answered), files.draw_secrets(answered)
    texts = {
        files.CONFIG: config,
        files.CASES: files.make_cases(answered, config),
        files.ENV: files.make_env(answered, config, drawn),
        files.ENV_EXAMPLE: files.make_env(answered, config, {}),
        files.UNIT: files.make_unit(getpass.getuser(), str(answered.folder), program),
    }
    write_files(answered.folder, texts, private=files.ENV)
    missing = [name for name in files.variables_of(config) if name not in drawn]
    print_lines(_next_steps(answered, texts, missing, drawn[files.hook_variable(answered.account)]), reveal=True)


def _program() -> str:
    """Return the command that runs now; of `python -m relay` the one that is installed beside this Python.

    Raises ConfigError where the unit cannot name it.
    """
    called = Path(sys.argv[0])
    program = called.absolute() if called.name == "relay" else Path(sys.executable).with_name("relay")
    try:
        return str(answers.check_unit_path(program))
    except ValueError as error:
        raise ConfigError(f"{error}: install the package elsewhere; nothing was written") from error


def _next_steps(answered: Answers, written: dict[str, str], missing: list[str], token: str) -> list[str]:
    unit = answered.folder / files.UNIT
    fill_in = [f"fill in .env: {', '.join(missing)}"] if missing else []
    return [
        f"written to {answered.folder}: {', '.join(written)}",
        *fill_in,
        "start it there: relay up",
        f"or for good: sudo cp {unit} /etc/systemd/system/ && sudo systemctl enable --now relay",
        f"enter in amoCRM (Settings, Integrations, Web hooks): {answered.url}/hooks/{answered.account}/{token}",
    ]
