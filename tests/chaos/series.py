"""A series of runs of one fault, in a process of its own."""

import shutil
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from relay.errors import RelayError
from tests.chaos.faults import FAULTS
from tests.chaos.relay_under_test import RelayUnderTest
from tests.chaos.run import RunResult, run_fault


def run_often(fault: str, runs: int, seed: int) -> list[RunResult]:
    """Make runs of a fault, with one relay for as long as all is good."""
    results: list[RunResult] = []
    while len(results) < runs:
        folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        for result in _runs_of_one_relay(folder, fault, seed, len(results), runs):
            results.append(result)
            print(f"{'good' if result.good else 'BAD '} {msgspec.json.encode(result).decode()}", flush=True)
            if not result.good:
                again = f"python -m tests.chaos --only {fault!r} --seed {result.seed} --runs 1"
                print(f"     again: {again}; its logs: {folder}", flush=True)
                break
        else:
            shutil.rmtree(folder)
    return results


def _runs_of_one_relay(folder: Path, fault: str, seed: int, first: int, runs: int) -> Iterator[RunResult]:
    """Run until one fails: what it leaves behind would be the next one's."""
    number = first
    with ExitStack() as stack:
        try:
            relay = stack.enter_context(_begin(fault, folder))
            for number in range(first, runs):
                yield run_fault(relay, fault, seed + number, number)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told, and the other runs are made
            broken = [f"{type(error).__name__}: {error}", *traceback.format_exc().splitlines()[-6:]]
            yield RunResult(fault=fault, seed=seed + number, broken=broken)


@contextmanager
def _begin(fault: str, folder: Path) -> Iterator[RelayUnderTest]:
    """Start a relay; where that fails, as by a port that another program took meanwhile, once more."""
    with ExitStack() as stack:
        try:
            relay = stack.enter_context(FAULTS[fault].setting(_made(folder / "1")))
        except RelayError:
            relay = stack.enter_context(FAULTS[fault].setting(_made(folder / "2")))
        yield relay


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
