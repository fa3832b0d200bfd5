"""One run: hooks, a fault while many of them are unsettled, and what came of it."""

import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from relay.model import Record
from relay.processes.supervisor import Processes
from relay.store.acts import Author
from relay.store.store import Store
from tests.chaos import oracle
from tests.chaos.faults import FAULTS
from tests.chaos.relay_under_test import SINKS, RelayUnderTest
from tests.chaos.traffic import Senders, is_texted
from tests.e2e.harness import request_json, until

HOOKS = 500
UNSETTLED = 0.3  # of what was acknowledged, at least, when a fault begins
PATIENCE_SECONDS = 180.0
LEFT_BYTES = 100 * HOOKS  # `once` keys stay; a record of every hook would be more
_DESCRIBED = 3
_AUTHOR = Author(by="chaos", why="so that much is unsettled")


class RunResult(Record):
    """What came of a run."""

    fault: str
    seed: int
    acknowledged: int = 0
    unsettled: float = 0.0  # the share of what was acknowledged, when the fault began
    delivered: int = 0  # hooks of which all arrived that should
    by_people: int = 0  # deliveries that did not arrive, and are held for a person or were cancelled by one
    lost: int = 0
    doubled: int = 0  # arrived more than once
    unexplained: int = 0  # of those, without an attempt that was cut; or done twice
    stuck: int = 0  # neither arrived nor at their end three minutes after the last hook
    broken: Sequence[str] = ()  # what does not hold of the store; or why there is no result
    left_bytes: int = 0  # what the store keeps after retention that it had not before, and has no time to live
    last_seconds: float = 0.0  # from the end of the fault to the last one's arrival
    remarks: Sequence[str] = ()  # what the relay knows of some that are bad

    @property
    def good(self) -> bool:
        """Whether nothing is lost, stuck or unexplained, all is in order, and the fault found enough to break."""
        bad = self.lost or self.unexplained or self.stuck or self.broken
        return not bad and self.unsettled >= UNSETTLED and self.left_bytes < LEFT_BYTES


@dataclass(frozen=True)
class _Judgement:
    missing: Collection[tuple[str, int]]
    by_people: Collection[tuple[str, int]]
    doubled: Collection[tuple[str, int]]
    unexplained: Collection[tuple[str, int]]


def run_fault(relay: RelayUnderTest, fault: str, seed: int, number: int, hooks: int = HOOKS) -> RunResult:
    """Send hooks, whose leads follow from the run's `number`, and do it to the relay meanwhile."""
    chance, first = random.Random(seed), 10_000_000 + number * 10_000
    leads = range(first, first + hooks)
    processes = relay.processes
    request_json(f"{processes.sandbox_url}/__sandbox__/requests", method="DELETE")
    relay.acted_on.clear()
    _, base = oracle.retire(processes, SINKS)
    senders = Senders(processes, leads)
    unsettled = _begin(processes, senders, leads, chance)
    FAULTS[fault].do(relay, chance)
    ended = time.time()
    senders.join()
    stuck = _wait_for_the_end(processes)
    received = oracle.read_received(processes, leads)
    found = _judge(relay, senders.acknowledged, received, ended)
    broken = oracle.broken(processes)
    bad = [*found.missing, *found.unexplained][:_DESCRIBED]
    remarks = [oracle.describe(processes, *key) for key in bad]
    left, kept = oracle.retire(processes, SINKS) if not stuck else ([], base)
    return RunResult(
        fault=fault,
        seed=seed,
        acknowledged=len(senders.acknowledged),
        unsettled=unsettled,
        delivered=len(senders.acknowledged - {lead for _, lead in (*found.missing, *found.by_people)}),
        by_people=len(found.by_people),
        lost=len(found.missing),
        doubled=len(found.doubled),
        unexplained=len(found.unexplained),
        stuck=stuck,
        broken=[*broken, *(f"retention leaves {key}" for key in left[:_DESCRIBED])],
        left_bytes=max(kept - base, 0),
        last_seconds=round(max(received.last_at / 1000 - ended, 0), 1),
        remarks=remarks,
    )


def _begin(processes: Processes, senders: Senders, leads: range, chance: random.Random) -> float:
    """Send until enough waits, let it leave, and return once some of it has: the share that is unsettled then."""

    async def pause(store: Store) -> None:
        for sink in SINKS:
            await store.acts.pause(sink, _AUTHOR, None)

    async def resume(store: Store) -> None:
        for sink in SINKS:
            await store.acts.resume(sink, _AUTHOR)

    oracle.ask_store(processes, pause)
    senders.start()
    enough = len(leads) // 2 + chance.randrange(len(leads) // 4)
    until(lambda: len(senders.acknowledged) >= enough, what=f"{enough} acknowledged hooks")
    oracle.ask_store(processes, resume)
    some = int(enough * chance.uniform(0.02, 0.4))
    while len(oracle.read_received(processes, leads).requests) < some:
        time.sleep(0.15)  # the log is long: to read it costs what the relay would need
    settled = {lead for _, lead in oracle.read_received(processes, leads).requests}
    return round(1 - len(settled) / len(senders.acknowledged), 2)


def _wait_for_the_end(processes: Processes) -> int:
    """Wait until nothing is unfinished; return what is after three minutes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := oracle.unfinished(processes, SINKS)) and time.monotonic() < deadline:
        time.sleep(0.3)
    return left


def _judge(relay: RelayUnderTest, acknowledged: set[int], received: oracle.Received, ended: float) -> _Judgement:
    processes = relay.processes
    wanted = {("books", lead) for lead in acknowledged} | {("texts", lead) for lead in acknowledged if is_texted(lead)}
    missing = wanted - received.requests.keys()
    known = oracle.deliveries_of(processes, missing)
    # What may have been sent, and was not: a person decides. Of what they may repeat nothing is held.
    by_people = {
        key for key in missing if key in known and _is_left_to_people(key[0], known[key].state, relay, known[key].id)
    }
    doubled = {key for key, times in received.requests.items() if times > 1}
    twice = {key for key, times in received.effects.items() if times > 1}
    strange = twice | {
        (sink, lead)
        for sink in SINKS
        for lead in oracle.unexplained(processes, [lead for of, lead in doubled if of == sink], sink)
    }
    deliveries = oracle.deliveries_of(processes, strange)
    explained = {key for key in strange if key in deliveries and deliveries[key].id in relay.acted_on}
    if relay.failed_over:  # what the old primary had confirmed of settling may be lost; marks are not
        explained |= {key for key in strange - twice if received.first_at[key] < ended * 1000}
    return _Judgement(missing - by_people, by_people, doubled, strange - explained)


def _is_left_to_people(sink: str, state: str, relay: RelayUnderTest, id: str) -> bool:
    return (state == "held" and sink == "texts") or (state == "cancelled" and id in relay.acted_on)
