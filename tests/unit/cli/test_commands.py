"""A stranger finds a command's code by its name, and its purpose by its help."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import relay.cli
from relay.cli import COMMANDS, app
from relay.cli.loading import load_command
from relay.errors import ConfigError


def test_the_files_are_the_commands_and_what_they_share() -> None:
    files = {path.stem.replace("_", "-") for path in Path(relay.cli.__file__).parent.glob("[a-z]*.py")}
    assert files - {"acts", "bulk", "completion", "delivery-list", "loading", "options"} == COMMANDS.keys()


def test_the_version_is_that_of_the_package() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"relay {relay.__version__}\n")


@pytest.mark.parametrize("command", ["events", "deliveries"])
@pytest.mark.parametrize(
    ("entity", "hint"),
    [
        ("leads:1", "nothing is called 'leads', did you mean lead?"),
        ("contacts:1", "did you mean contact?"),
        ("deal:1", "known: "),
        ("lead", "write lead:123"),
        (":1", "write lead:123"),
    ],
)
def test_an_entity_that_there_is_not_is_refused_with_a_hint(command: str, entity: str, hint: str) -> None:
    refused = CliRunner().invoke(app, [command, "list", "--entity", entity], env={"COLUMNS": "300"})
    assert refused.exit_code == 2
    assert hint in refused.output


def test_names_that_nobody_could_fetch_yet_say_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`relay check` says to run it, and `relay dev`, which brings the store that it needs, refuses unknown names."""
    monkeypatch.chdir(tmp_path)
    Path("relay.yaml").write_text("""\
sources: {acme: {type: amocrm, token: acme-hook-token, account: {subdomain: acme}, api: {token: a-long-lived-token}}}
sinks: {console: {type: log}}
routes: [{name: won, on: status_lead, where: {status: Won}, to: console}]
""")
    refused = CliRunner().invoke(app, ["names", "acme"], env={"RELAY_CONFIG": "relay.yaml", "REDIS_URL": ""})
    assert isinstance(refused.exception, ConfigError)
    assert str(refused.exception).endswith("start `relay dev`, run this again, and then write the names")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_its_options_have_a_help_text(command: str) -> None:
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    group = load_command(command)
    for name, found in {command: group, **getattr(group, "commands", {})}.items():
        assert found.help, name
        assert all(getattr(option, "help", "") or option.param_type_name == "argument" for option in found.params), name


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_says_what_their_own_help_begins_with(command: str) -> None:
    own = load_command(command)
    assert own.name == command
    assert own.help is not None
    assert own.help.startswith(COMMANDS[command])


def test_the_list_of_commands_is_in_the_order_of_the_code() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert re.findall(r"^│ ([a-z][a-z-]*) ", shown, re.MULTILINE) == list(COMMANDS)
    assert all(summary in shown for summary in COMMANDS.values())


def test_what_there_is_not_is_refused_with_a_hint() -> None:
    refused = CliRunner().invoke(app, ["chek"], env={"COLUMNS": "200"})
    assert refused.exit_code == 2
    assert "No such command 'chek'. Did you mean 'check'" in refused.output


NO_JSON = {
    "demo": "shows itself until it is stopped",
    "dev": "runs until it is stopped",
    "init": "writes files, and asks",
    "up": "runs until it is stopped",
    "web": "runs until it is stopped",
    "worker": "runs until it is stopped",
    "schema": "prints JSON, and nothing else",
}


def test_every_command_that_prints_a_result_prints_it_for_programs_too() -> None:
    lacking = set()
    for command in COMMANDS:
        group = load_command(command)
        leaves = {f"{command} {name}": one for name, one in getattr(group, "commands", {}).items()}
        for name, one in (leaves or {command: group}).items():
            if not any("--json" in option.opts for option in one.params):
                lacking.add(name)
    assert lacking == NO_JSON.keys()


def test_a_checked_file_is_described_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is refused: a program reads why on stdout, and the status."""
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text("""\
sources: {acme: {type: amocrm, token: change-me, account: {subdomain: acme}}}
sinks: {console: {type: log}, spare: {type: log}}
routes: [{name: all, on: status_lead, to: console}]
""")
    Path("bad.yaml").write_text("sources: {acme: {type: amocr}}\n")

    def check(*arguments: str) -> tuple[int, dict[str, object]]:
        done = CliRunner().invoke(app, ["check", *arguments, "--json"], env={"REDIS_URL": ""})
        return done.exit_code, json.loads(done.stdout)

    status, good = check("good.yaml")
    assert (status, good["error"], good["sources"], good["routes"]) == (0, None, ["acme"], ["all"])
    assert good["version"]
    assert good["findings"]
    assert check("good.yaml", "--strict") == (1, good)
    status, bad = check("bad.yaml")
    assert (status, bad["version"]) == (1, "")
    assert "bad.yaml:1:" in str(bad["error"])
