"""The units, read by systemd itself."""

import re
import sys
from pathlib import Path

import pytest

from tests.deploy.programs import DEPLOY, PROJECT, program, run
from tests.deploy.variables import OWN, SECRETS

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
WORST_EXPOSURE = 2.5  # of 10, as `systemd-analyze security` counts


@pytest.fixture(params=UNITS, ids=lambda unit: unit.name)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a unit as an instance, with a program that is there: systemd looks whether it is."""
    text = request.param.read_text().replace("/opt/relay/bin/relay", sys.executable)
    path = tmp_path / request.param.name.replace("@.", "@1.")
    path.write_text(text)
    return path


def test_systemd_finds_no_fault(unit: Path) -> None:
    found = run([program("systemd-analyze"), "verify", "--man=no", unit])
    assert (found.returncode, found.stderr) == (0, "")


def test_what_breaks_in_may_do_little(unit: Path) -> None:
    command = [program("systemd-analyze"), "security", "--offline=yes", "--no-pager", unit]
    told = run([*command, f"--threshold={WORST_EXPOSURE * 10:.0f}"])
    assert told.returncode == 0, told.stdout[-200:]


@pytest.mark.parametrize("unit_file", UNITS, ids=lambda unit: unit.name)
def test_it_is_started_again_and_given_time_to_end(unit_file: Path) -> None:
    said = dict(re.findall(r"^(\w+)=(.*)$", unit_file.read_text(), re.MULTILINE))
    assert (said["Restart"], said["StartLimitIntervalSec"], said["User"]) == ("always", "0", "relay")
    assert int(said["TimeoutStopSec"]) >= 30


def test_the_example_of_an_environment_sets_no_secret_and_forgets_none() -> None:
    lines = [line for line in (DEPLOY / "systemd" / "relay.env.example").read_text().splitlines() if line[0] != "#"]
    given = dict(line.split("=", 1) for line in lines)
    assert SECRETS | {"REDIS_URL", "RELAY_ADMIN_TOKEN"} <= given.keys() <= SECRETS | OWN
    assert {given[name] for name in SECRETS} == {""}


def test_systemd_finds_no_fault_in_the_socket(tmp_path: Path) -> None:
    for name in ("relay.socket", "relay.service"):
        text = (DEPLOY / "systemd" / name).read_text().replace("/opt/relay/bin/relay", sys.executable)
        (tmp_path / name).write_text(text)
    found = run([program("systemd-analyze"), "verify", "--man=no", tmp_path / "relay.socket"])
    assert (found.returncode, found.stderr) == (0, "")


def test_the_page_gives_the_folder_of_relay_up_to_its_user() -> None:
    """`install -d` makes the folders above the one that it is told root's, and `relay up` could not write there."""
    unit, page = (DEPLOY / "systemd" / "relay.service").read_text(), (PROJECT / "docs" / "deploy.md").read_text()
    folder = re.findall(r"^WorkingDirectory=(.+)$", unit, re.MULTILINE)[0]
    made = re.findall(r"^install -d -o relay .*$", page, re.MULTILINE)
    assert [line for line in made if folder in line.split()] == made != []
