"""Shells complete commands, options and values, once `relay --install-completion` was called in them."""

import os
import pty
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from select import select

import pytest

YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks: {bookkeeping: {type: log}, trash: {type: log}}
routes: [{name: won deal, on: status_lead, to: bookkeeping}]
no such key: [which is for `relay check` to say]
"""
_CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[()]?.|[\r\x07\x08]")
_PATIENCE = 120  # seconds, of a busy machine
_TAB_SECONDS = 4
_ERASE_LINE = "\x15"


def shell_environ(home: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
    }


class Shell:
    """An interactive shell of somebody without settings, in a folder with a configuration."""

    def __init__(self, program: str, home: Path) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, program],
            cwd=home, stdin=theirs, stdout=theirs, stderr=theirs, env=shell_environ(home),
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.printed = ""

    def type(self, keys: str) -> None:
        self.printed = ""
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str, seconds: float = _PATIENCE) -> bool:
        """Return whether a text is printed in time, since something was typed."""
        end = time.monotonic() + seconds
        while text not in _CONTROL.sub("", self.printed):
            if time.monotonic() > end:
                return False
            if select([self._ours], [], [], 0.2)[0]:
                self.printed += os.read(self._ours, 65536).decode(errors="replace")
        return True

    def completes(self, line: str, rest: str) -> bool:
        """Return whether Tab adds the rest to a line. Where nothing comes it is typed anew: zsh only loads at first."""
        for _ in range(_PATIENCE // _TAB_SECONDS):
            self.type(f"{_ERASE_LINE}{line}\t")
            if self.wait_for(rest, _TAB_SECONDS):
                return True
        return False

    def close(self) -> None:
        self._process.kill()
        self._process.wait(30)
        os.close(self._ours)


# Makes the terminal its own, so that keys such as Ctrl-U and job control are the shell's.
_ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def find_program(name: str) -> str:
    """Return where a shell is. Where it is missing the test is skipped, but fails in CI, which installs it."""
    program = shutil.which(name)
    if program is None and os.environ.get("CI") != "true":
        pytest.skip(f"needs {name}")
    assert program is not None, f"CI has no {name}: .ci/run installs it"
    return program


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "relay.yaml").write_text(YAML)
    (tmp_path / ".zshrc").touch()  # else zsh asks whether to write one
    return tmp_path


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_shell_that_was_taught_completes_commands_and_names(name: str, home: Path) -> None:
    shell = Shell(find_program(name), home)
    try:
        shell.type("relay --install-completion\n")
        assert shell.wait_for("completion installed"), shell.printed
        shell.type(f"exec {name}\n")
        assert shell.completes("relay deliv", "eries"), shell.printed
        assert shell.completes("relay deliveries list --sink book", "keeping"), shell.printed
        assert shell.completes("relay deliveries list --route wo", "deal"), shell.printed
        shell.type("\n")
        assert shell.wait_for("REDIS_URL is not set"), f"the route's name is no single word: {shell.printed}"
    finally:
        shell.close()


def test_so_does_fish(home: Path) -> None:
    """It is asked for what it would show: it draws as fast as it is typed to, and not as a terminal reads."""
    fish, asked = find_program("fish"), ("relay deliv", "relay sinks show book")
    questions = "; ".join(f"complete --do-complete '{line}'" for line in asked)
    command = [fish, "--command", f"relay --show-completion fish | source; {questions}"]
    environ = {**shell_environ(home), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, timeout=_PATIENCE, check=True)
    words = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert words == ["deliveries", "bookkeeping"], done.stdout + done.stderr
