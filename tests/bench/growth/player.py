"""Post hooks of a schedule to a relay: whatever becomes of one, none before or after it waits for it.

Usage: python -m tests.bench.growth.player PORT, with the schedule as JSON on stdin: [[seconds, path, body, number]…].
Prints [[number, began, ended, status]…], by the clock that all processes share.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import NamedTuple

import uvloop

from tests.bench.measuring import BOTH
from tests.bench.open_loop import Hook, post_on_time


class PlannedHook(NamedTuple):
    """One POST: seconds after the begin, where to, and with what. The number is its lead's, by which it is found."""

    seconds: float
    path: str
    body: str
    number: int


class PlayedHook(NamedTuple):
    """What came of it. Status 0: no answer within the two seconds that amoCRM waits."""

    number: int
    began: float
    ended: float
    status: int

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


def play(port: int, hooks: Iterable[PlannedHook]) -> list[PlayedHook]:
    """Post them in a process of its own, and return what came of each."""
    command = ["taskset", "-c", BOTH, sys.executable, "-m", "tests.bench.growth.player", str(port)]
    done = subprocess.run(command, input=json.dumps(list(hooks)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [PlayedHook(*one) for one in json.loads(done.stdout)]


def main() -> None:
    planned = [PlannedHook(*one) for one in json.load(sys.stdin)]
    uvloop.run(_play(int(sys.argv[1]), planned))


async def _play(port: int, planned: list[PlannedHook]) -> None:
    hooks = [(one.seconds, Hook(one.number, one.path, one.body.encode())) for one in planned]
    await post_on_time(port, hooks)
    json.dump([(hook.lead, hook.began, hook.ended_at, hook.status) for _, hook in hooks], sys.stdout)


if __name__ == "__main__":
    main()
