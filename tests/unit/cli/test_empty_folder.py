"""In a folder where nothing is yet, a command says in one line what comes first, and leaves nothing there."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from relay.cli import app
from relay.errors import ConfigError

NO_FILE = (
    "config/relay.yaml: No such file or directory: `relay init` writes one, RELAY_CONFIG names one that is elsewhere"
)
NO_STORE = "REDIS_URL is not set, nor is there a config/relay.yaml: `relay init` writes one for `relay up`"
COMMANDS = {
    **dict.fromkeys(("check", "check --strict", "dev", "explain body.form", "send body.form"), NO_FILE),
    **dict.fromkeys(("connect acme --url https://a.example", "names acme", "sinks probe books"), NO_FILE),
    **dict.fromkeys(("subscriptions token crm", "subscriptions add http://a.example --event add_lead"), NO_FILE),
    "catch-up acme --since 2h": NO_FILE,
    **dict.fromkeys(("web", "worker", "stats", "events list", "events show 7", "subscriptions list"), NO_STORE),
    **dict.fromkeys(("deliveries list", "deliveries show 7", "deliveries resend 7"), NO_STORE),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("REDIS_URL", "CELERY_BROKER_URL", "RELAY_CONFIG", "RELAY_LOG", "PORT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "body.form").write_text("leads[add][0][id]=1")
    return tmp_path


@pytest.mark.parametrize(("command", "told"), COMMANDS.items(), ids=COMMANDS)
def test_a_command_says_what_comes_first(folder: Path, command: str, told: str) -> None:
    result = CliRunner().invoke(app, command.split())
    assert isinstance(result.exception, ConfigError), result.output
    assert (str(result.exception), result.output) == (told, "")
    assert [path.name for path in folder.iterdir()] == ["body.form"]


def test_doctor_says_it_of_the_configuration_and_examines_the_rest(folder: Path) -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert NO_FILE in result.output
    assert "store: REDIS_URL is not set" in result.output
