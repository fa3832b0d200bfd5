"""Rates: end to end at few and many hooks a second, beside what else one might run; all on the same two cores.

Each contender has a store of its own, which syncs its file before each answer. All stay up for the whole part, and are
idle while it is another's turn: what that costs is measured first.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench.contenders import FASTIFY_BULLMQ, RELAY, START, Contender, Start, install_bullmq
from tests.bench.deliver import Receiver
from tests.bench.load_results import Load, LoadResult, SentHook, compare, medians, summarise
from tests.bench.measuring import BOTH
from tests.bench.store_costs import read_costs

ROUNDS = 3
LOADS = (Load(5, 20), Load(50, 100), Load(400, 800), Load(2000, 3000))
WARM = Load(30, 30)
STARTED_SECONDS = 5.0  # all have connected, looked for work and found none
IDLE_SECONDS = 6.0
SETTLED_SECONDS = 0.3  # what has arrived is settled, acknowledged and counted by then
GIVEN_UP_SECONDS = 6.0  # for what was taken and has not arrived


def bench(rounds: int, contenders: Sequence[str], logs: Path) -> dict[str, object]:
    """Measure the relay and others in turns, load by load."""
    missing = install_bullmq(logs) if FASTIFY_BULLMQ in contenders else ""
    names = [name for name in START if name in (RELAY, *contenders) and not (name == FASTIFY_BULLMQ and missing)]
    seen: dict[str, dict[str, list[LoadResult]]] = {
        name: {str(load.per_second): [] for load in LOADS} for name in names
    }
    with ExitStack() as stack:
        contest = stack.enter_context(Contest(Receiver(stack, logs), logs))
        contest.start(names)
        idle = contest.measure_idle()
        for number in range(rounds):
            for load in LOADS:
                for name in _rotated(names, number):
                    seen[name][str(load.per_second)].append(contest.measure(name, load))
    rivals = [name for name in names if name != RELAY]
    return {
        "loads": [load._asdict() for load in LOADS],
        "rounds": rounds,
        "missing": {FASTIFY_BULLMQ: missing} if missing else {},
        "contenders": {name: {rate: medians(of) for rate, of in seen[name].items()} for name in names},
        "relay_to": {
            name: {rate: compare(seen[RELAY][rate], of) for rate, of in seen[name].items()} for name in rivals
        },
        "idle_percent": idle,
    }


def _rotated(names: Sequence[str], by: int) -> Sequence[str]:
    """Return them so that none is always the first."""
    return [*names[by % len(names) :], *names[: by % len(names)]]


class Contest:
    """All contenders, up. One that did not finish a load in time is started anew, so that it disturbs nobody."""

    def __init__(self, receiver: Receiver, logs: Path, start_of: Mapping[str, Start] = START) -> None:
        self._receiver, self._logs = receiver, logs
        self._start_of = start_of
        self._up: dict[str, tuple[Contender, ExitStack]] = {}
        self._starts = 0
        self._next_lead = 1_000_000

    def __enter__(self) -> "Contest":
        return self

    def __exit__(self, *_: object) -> None:
        for _, stack in self._up.values():
            stack.close()

    def start(self, names: Sequence[str]) -> None:
        for name in names:
            self._starts += 1
            with ExitStack() as stack:
                folder = self._logs / f"{name}-{self._starts}"
                contender = Contender(name, folder, self._receiver.url, stack, self._start_of[name])
                self._up[name] = contender, stack.pop_all()
        time.sleep(STARTED_SECONDS)
        for name in names:
            assert self.measure(name, WARM).taken == 1, f"{name} does not work"

    def contender(self, name: str) -> Contender:
        """Return one, as it is up now."""
        return self._up[name][0]

    def measure_idle(self) -> dict[str, dict[str, float]]:
        """Return what each process of each contender uses while it has nothing to do, in percent of a core."""
        before, began = {name: one.cpu() for name, (one, _) in self._up.items()}, time.monotonic()
        time.sleep(IDLE_SECONDS)
        seconds = time.monotonic() - began
        return {
            name: {part: round((cpu - before[name][part]) / seconds * 100, 2) for part, cpu in one.cpu().items()}
            for name, (one, _) in self._up.items()
        }

    def measure(self, name: str, load: Load) -> LoadResult:
        contender, stack = self._up[name]
        self._receiver.ask("reset")
        costs, cpu = read_costs(contender.servers.values()), sum(contender.cpu().values())
        sent = self._send(contender.port, load)
        arrived = self._wait_for({hook.lead for hook in sent if hook.taken})
        time.sleep(SETTLED_SECONDS)
        used = sum(contender.cpu().values()) - cpu
        result = summarise(sent, arrived, used, read_costs(contender.servers.values()) - costs)
        if any(hook.lead not in arrived for hook in sent):  # what was not taken may be stored, and would go on
            stack.close()
            self.start([name])
        return result

    def _send(self, port: int, load: Load) -> list[SentHook]:
        asked = map(str, (port, self._next_lead, load.hooks, load.per_second))
        self._next_lead += load.hooks
        command = ["taskset", "-c", BOTH, sys.executable, "-m", "tests.bench.open_loop", *asked]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120)
        return [SentHook(*hook) for hook in json.loads(done.stdout)]

    def _wait_for(self, leads: set[int]) -> Mapping[int, float]:
        """Wait until these have arrived, or it takes too long. Returns when each lead arrived."""
        given_up = time.monotonic() + GIVEN_UP_SECONDS
        while True:
            over = time.monotonic() > given_up
            if over or self._receiver.ask("count")["count"] >= len(leads):
                arrived = {int(lead): at for lead, at in self._receiver.ask("times").items()}
                if over or leads <= arrived.keys():
                    return arrived
            time.sleep(0.05)
