"""The shell in which the commands of a page run, in a folder with a `relay dev`."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from relay.config.environment import environ
from relay.processes.folder import running_environ

ROOT = Path(__file__).parents[2]
CALL = Path(__file__).with_name("call_command.py")
_COMMON = {"TZ": "UTC", "LANG": "C.UTF-8"}
# What stays, or becomes another program, is a process of its own.
_PROGRAM = """#!/bin/sh
case "$1" in
  demo | dev | up | web | worker) exec {python} -m relay "$@" ;;
  *) exec {python} -IS {call} {commands} "$@" ;;
esac
"""
COMMAND_SECONDS = 120.0
START_SECONDS = 60.0
_END = b"\x00"


@contextmanager
def command_server(folder: Path) -> Iterator[str]:
    """Run the server of commands; yield its address."""
    address = str(folder / "commands")
    command = [sys.executable, "-m", "tests.docs.command_server", address]
    variables = {"PATH": environ()["PATH"], "PYTHONPATH": str(ROOT), **_COMMON}
    with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"listening\n"
        yield address
        server.communicate()


def page_environ(folder: Path, commands: str) -> dict[str, str]:
    """Return the environment of a page's commands: nothing of the caller's but where programs are.

    `commands`: the address of the server of commands.
    """
    program = folder / "bin" / "relay"
    program.parent.mkdir()
    program.write_text(_PROGRAM.format(python=sys.executable, call=CALL, commands=commands))
    program.chmod(0o755)
    path = f"{program.parent}:{Path(sys.executable).parent}:{environ()['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder), **_COMMON}


class Dev:
    """A `relay dev` in a folder. `addresses` are the variables by which it is reached."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._log = (folder / "dev.log").open("wb")
        command = [str(folder / "bin" / "relay"), "dev"]
        self._process = subprocess.Popen(command, cwd=folder, env=dict(variables), stdout=self._log, stderr=self._log)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START_SECONDS
        while not (addresses := running_environ(self._folder / ".relay")):
            assert self._process.poll() is None, (self._folder / "dev.log").read_text()
            assert time.monotonic() < deadline, (self._folder / "dev.log").read_text()
            time.sleep(0.05)
        self.addresses = addresses
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS)
        self._log.close()


class Shell:
    """One bash: what a command sets is there for the next."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()

    def run(self, command: str) -> tuple[int, str]:
        """Run a command and return its exit status and what it printed, on stdout and stderr."""
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{{\n{command}\n}} </dev/null; printf '\\0%d\\0' $?\n".encode())
        self._bash.stdin.flush()
        printed, status, _ = self._read_until_ends(command).split(_END)
        return int(status), printed.decode()

    def _read_until_ends(self, command: str) -> bytes:
        assert self._bash.stdout is not None
        output, deadline = b"", time.monotonic() + COMMAND_SECONDS
        while output.count(_END) < 2:
            ready, _, _ = select.select([self._bash.stdout], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{command!r} has not ended after {COMMAND_SECONDS:.0f} s; it printed {output.decode()!r}"
            read = os.read(self._bash.stdout.fileno(), 65_536)
            assert read, f"the shell ended at {command!r}; it printed {output.decode()!r}"
            output += read
        return output
