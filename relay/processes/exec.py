"""Become another program, as `relay web` and `relay worker` do."""

import os
import shlex
import sys
from typing import NoReturn


def exec_module(module: str, *arguments: str) -> NoReturn:
    """Print the command line of a Python module, and become it: it has this process's id, and gets its signals."""
    command = [sys.executable, "-m", module, *arguments]
    sys.stdout.write(shlex.join(command) + "\n")
    sys.stdout.flush()
    os.execv(sys.executable, command)
