"""A stranger finds a command's code by its name, and its purpose by its help."""

from pathlib import Path

import pytest
import structlog
from typer.main import get_command
from typer.testing import CliRunner

import relay.cli
from relay.cli import app
from relay.errors import ConfigError

COMMANDS = sorted(get_command(app).commands)


def test_the_files_are_the_commands_and_what_they_share() -> None:
    files = {path.stem.replace("_", "-") for path in Path(relay.cli.__file__).parent.glob("[a-z]*.py")}
    assert sorted(files - {"acts", "context", "delivery-list", "options"}) == COMMANDS


@pytest.fixture
def _own_logging():
    """Undo what a command sets up: other tests of this process read what is logged by default."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("_own_logging")
def test_the_version_is_that_of_the_package() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"relay {relay.__version__}\n")


@pytest.mark.usefixtures("_own_logging")
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


@pytest.mark.usefixtures("_own_logging")
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


@pytest.mark.usefixtures("_own_logging")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_its_options_have_a_help_text(command: str) -> None:
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    group = get_command(app).commands[command]
    for name, found in {command: group, **getattr(group, "commands", {})}.items():
        assert found.help, name
        assert all(getattr(option, "help", "") or option.param_type_name == "argument" for option in found.params), name
