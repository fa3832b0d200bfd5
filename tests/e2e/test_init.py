"""`relay init` in an empty folder, and what it has written run by `relay up`."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from relay.config.environment import environ
from tests.e2e.harness import until
from tests.e2e.up_harness import post_hook, run_command, running_up

FLAGS = ("--account", "acme", "--url", "https://relay.example.com")
WRITTEN = ["config/relay.yaml", "config/cases/relay.yaml", ".env", ".env.example", "relay.service"]


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    inherited = {name: value for name, value in environ().items() if not name.startswith("RELAY_")}
    inherited.pop("REDIS_URL", None)
    return {**inherited, "PYTHONPATH": str(Path.cwd()), "HOME": str(tmp_path / "home")}


def test_what_init_has_written_runs(tmp_path: Path, variables: dict[str, str]) -> None:
    printed = run_command(tmp_path, variables, "init", *FLAGS)
    assert printed.startswith(f"written to {tmp_path}: {', '.join(WRITTEN)}\nstart it there: relay up\n")
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert "is valid: 1 source(s), 1 route(s), 1 sink(s)" in run_command(tmp_path, variables, "check", "--strict")
    assert "1 case(s): 1 passed, 0 failed" in run_command(tmp_path, variables, "test")
    path = printed.split()[-1].removeprefix("https://relay.example.com")
    with running_up(tmp_path) as up:
        assert post_hook(up.port, 1, path)[0] == "202"
        until(lambda: "delivered" in up.run("deliveries", "list"), what="its delivery")


@pytest.mark.parametrize("command", [("check",), ("check", "--strict"), ("web",), ("worker",), ("up",)], ids=" ".join)
def test_every_command_names_the_blanks_of_its_env(
    tmp_path: Path, variables: dict[str, str], command: tuple[str, ...]
) -> None:
    run_command(tmp_path, variables, "init", *FLAGS, "--sinks", "smsc,http")
    store = {} if command == ("up",) else {"REDIS_URL": "redis://127.0.0.1:1/0"}
    printed = run_command(tmp_path, {**variables, **store}, *command, status=1)
    blanks = [line.split(": ")[1] for line in printed.splitlines()]
    names = ("SMSC_LOGIN", "SMSC_PASSWORD", "BOOKS_URL", "BOOKS_TOKEN")
    assert blanks == [f"{name} is not set, or empty" for name in names], printed


def test_nothing_is_overwritten(tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    printed = run_command(tmp_path, variables, "init", *FLAGS, status=1)
    assert printed == f"{tmp_path / '.env'} exists: remove it, or choose another folder; nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_program_that_the_unit_cannot_name_is_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    program = tmp_path / "my programs" / "relay"
    program.parent.mkdir()
    program.write_text("from relay.cli import app; app()")
    folder = tmp_path / "relay"
    command = [sys.executable, str(program), "init", *FLAGS, "--folder", str(folder)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"'{program}' has a blank, a quote or a % in it, which a systemd unit cannot name: ")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--account is missing: there is no terminal to ask on; see relay init --help\n"),
        ((*FLAGS, "--sinks", "htpp"), "--sinks: 'htpp' is no sink: did you mean http?\n"),
        ((*FLAGS, "--folder", "file/in/the/way"), "Not a directory: choose another folder\n"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    tmp_path: Path, variables: dict[str, str], options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "file").write_text("")
    printed = run_command(tmp_path, variables, "init", *options, status=1)
    assert printed.endswith(message)
    assert printed.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_on_a_terminal_it_asks_and_asks_again(tmp_path: Path, variables: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    answers = "no account\nacme.amocrm.ru\nhttps://relay.example.com\nlog,http\nru\n\n"
    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "init"],
        cwd=tmp_path,
        env=variables,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.write(ours, answers.encode())
    printed, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, printed
    assert "'no account' is no account: write acme for https://acme.amocrm.ru" in printed
    assert "fill in .env: BOOKS_URL, BOOKS_TOKEN" in printed
    assert "Конфигурация" in (tmp_path / "config" / "relay.yaml").read_text()
