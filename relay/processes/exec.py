"""Run a Python module in the place of this program, as `relay web` and `relay worker` do."""

import os
import runpy
import shlex
import sys
from collections.abc import Sequence
from typing import NoReturn


def exec_module(module: str, *arguments: str) -> NoReturn:
    """Print the command line of a Python module, and become it: it has this process's id, and none of its memory."""
    command = _print_command(module, arguments)
    os.execv(sys.executable, command)


def run_module(module: str, *arguments: str) -> NoReturn:
    """Print the command line of a Python module, and run it as that would, with what this process has imported.

    To import the same anew would take as long as the rest of its start.
    """
    _print_command(module, arguments)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(0)


def _print_command(module: str, arguments: Sequence[str]) -> list[str]:
    command = [sys.executable, "-m", module, *arguments]
    sys.stdout.write(shlex.join(command) + "\n")
    sys.stdout.flush()
    return command
