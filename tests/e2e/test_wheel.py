"""The package that people install: built without a warning, whole, and useful in an empty folder."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import pytest

import relay
from relay.config.environment import environ
from relay.processes.ports import free_port

ROOT = Path(__file__).parents[2]
NOT_TRACKED = shutil.ignore_patterns(
    *(".git", ".venv", ".relay", ".*_cache", ".hypothesis", "__pycache__", "build", "dist", "*.egg-info")
)
WARNING = re.compile(r"^.*(?:\bwarning\b|deprecat|\*\*\*).*$", re.IGNORECASE | re.MULTILINE)
NAMED_SO = re.compile(r"\S*/warnings\.py")  # our own file
Made = tuple[str, Path]
pytestmark = pytest.mark.timeout(600)  # to install takes its time on a busy machine


def plain_environ(**changes: str) -> dict[str, str]:
    """Return the environment without what tells Python and the relay where the project and its store are."""
    kept = {
        name: value
        for name, value in environ().items()
        if not name.startswith(("RELAY_", "PYTHON")) and name not in ("REDIS_URL", "CELERY_BROKER_URL", "PORT")
    }
    return {**kept, **changes}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheel"
    folder.mkdir(exist_ok=True)
    return folder


def make_once(target: Path, make: Callable[[], None]) -> None:
    """Make a folder, unless another worker has made it: one at a time, the other waits."""
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = target.with_suffix(".made")
        if not made.exists():
            make()
            made.touch()


@pytest.fixture(scope="session")
def built(shared: Path) -> Made:
    """Build both distributions, as for a release; return what the build printed, and where they are."""
    log, folder = shared / "build.log", shared / "dist"

    def make() -> None:
        shutil.copytree(ROOT, shared / "project", ignore=NOT_TRACKED)
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder]
        with log.open("w") as out:
            subprocess.run(command, cwd=shared / "project", env=plain_environ(), stdout=out, stderr=out, check=True)

    make_once(folder, make)
    return log.read_text(), folder


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def files_of(*folders: str) -> set[str]:
    """Return the files of the project's folders, but for what running it leaves there."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return {
        str(path.relative_to(ROOT))
        for path in found
        if path.is_file() and "__pycache__" not in path.parts and "egg-info" not in str(path)
    }


def test_it_is_built_without_a_warning(built: Made) -> None:
    assert WARNING.findall(NAMED_SO.sub("", built[0])) == []


def test_the_wheel_has_every_file_of_the_packages_and_none_besides(built: Made) -> None:
    with zipfile.ZipFile(only(built[1], "*.whl")) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == files_of("relay", "workers")


def test_the_source_distribution_has_every_file_of_the_project(built: Made) -> None:
    with tarfile.open(only(built[1], "*.tar.gz")) as sdist:
        packed = {name.partition("/")[2] for name in sdist.getnames()}
    whole = files_of("relay", "workers", "tests", "docs", "config", "deploy", ".ci")
    whole |= {path.name for path in ROOT.iterdir() if path.is_file() and path.name != ".git"}
    assert whole - packed == set()


def test_its_version_is_the_one_in_the_code_and_its_license_is_named_as_spdx_has_it(built: Made) -> None:
    with zipfile.ZipFile(only(built[1], "*.whl")) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(wheel.read(name))
        assert f"{name.partition('/')[0]}/licenses/LICENSE" in wheel.namelist()
    assert (metadata["Name"], metadata["Version"]) == ("amo-relay", relay.__version__)
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")


@pytest.fixture(scope="session")
def installed(built: Made, shared: Path) -> Path:
    """Install the wheel and what it needs into an environment of its own; return the folder of its commands.

    The versions are the locked ones, so that a release of somebody else's fails no test here.
    """
    environment = shared / "environment"

    def make() -> None:
        locked = re.findall(r"^[\w.-]+==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
        (shared / "constraints.txt").write_text("\n".join(locked))
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", environment], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install"]
        options = ["--quiet", "--no-compile", "--disable-pip-version-check", "--constraint", "constraints.txt"]
        subprocess.run([*pip, *options, only(built[1], "*.whl")], cwd=shared, env=plain_environ(), check=True)

    make_once(environment, make)
    return environment / "bin"


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Run a command line in bash: in an empty folder, as somebody who has a new home."""
    for name in ("home", "empty"):
        (tmp_path / name).mkdir()
    path = f"{installed}:{environ()['PATH']}"
    variables = plain_environ(HOME=str(tmp_path / "home"), PATH=path)

    def run(line: str) -> "subprocess.CompletedProcess[str]":
        command = ["bash", "--norc", "-c", line]
        return subprocess.run(
            command, cwd=tmp_path / "empty", env=variables, capture_output=True, text=True, timeout=300
        )

    return run


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_demo_runs_in_an_empty_folder_until_its_hooks_are_settled(run: Run, tmp_path: Path) -> None:
    assert run("command -v relay").stdout.strip().startswith(str(tmp_path.parent.parent))
    demo = run("relay demo --once")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert re.search(r"^\d+ hooks, all settled", demo.stdout, re.MULTILINE)
    assert "accounting (http): 1 dead, 1 delivered" in demo.stdout
    assert (names_in(tmp_path / "empty"), names_in(tmp_path / "home")) == ([".relay"], [])


# What somebody does who has installed it: the README's second and third line, a hook, an update.
PRODUCTION = """
{init} --account acme --url https://relay.example.com > init || exit 1
{up} > up 2>&1 & up=$!
trap "kill $up 2>&1" EXIT
until grep -q up.ready up; do kill -0 $up || exit 1; sleep 0.1; done
address=$(grep -o "/hooks/.*" init)
curl -sf "localhost:$PORT$address" -d "leads[add][0][id]=1&account[subdomain]=acme" || exit 1
until relay deliveries list --state delivered | grep -q "everything to the log"; do sleep 0.1; done
{up} --reload || exit 1
kill $up && wait $up
"""


def test_the_readmes_lines_bring_it_into_production_in_an_empty_folder(run: Run, tmp_path: Path) -> None:
    block = (ROOT / "README.md").read_text().partition("pip install amo-relay")[2].partition("```")[0]
    init, up = (line.partition("#")[0].strip() for line in block.splitlines()[1:])
    done = run(f"export PORT={free_port()}\n" + PRODUCTION.format(init=init, up=up))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"relay {relay.__version__} has replaced web and workers" in done.stdout
    written = [".env", ".env.example", ".relay", "config", "init", "relay.service", "up"]
    assert (names_in(tmp_path / "empty"), names_in(tmp_path / "home")) == (written, [])
    assert f"ExecStart={tmp_path.parent.parent}" in (tmp_path / "empty" / "relay.service").read_text()


def test_an_empty_folder_is_told_what_to_do_in_one_line_and_stays_empty(run: Run, tmp_path: Path) -> None:
    for command in ("up", "stats"):
        told = run(f"relay {command}")
        assert (told.returncode, told.stdout, told.stderr.count("\n")) == (1, "", 1)
        assert "`relay init` writes one" in told.stderr
    assert names_in(tmp_path / "empty") == []
