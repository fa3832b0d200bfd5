"""The programs that check what is in deploy/: beside this Python, or on the machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "deploy"


def program(name: str) -> str:
    """Return a program's path. Where it is missing the test is skipped, but fails in CI, which installs it."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
    found = shutil.which(name, path=beside)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"CI has no {name}: .ci/run installs it")
    if found is None:
        pytest.skip(f"needs {name}: `make deploy-check` brings it, or apt-get install {name}")
    return found


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    given = {**os.environ, **(env or {})}
    return subprocess.run(
        [*map(str, command)], cwd=cwd, env=given, capture_output=True, text=True, timeout=60, check=False
    )
