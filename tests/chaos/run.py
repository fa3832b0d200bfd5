"""One run: hooks, a fault while many of them are unsettled, and what came of it."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.model import Record
from relay.processes.supervisor import Processes
from tests.chaos.faults import FAULTS
from tests.chaos.oracle import broken, read_received, unexplained
from tests.chaos.traffic import Senders
from tests.e2e.harness import run_relay, until

HOOKS = 500
PATIENCE_SECONDS = 180.0
CONFIG = """
sources:
  acme: {type: amocrm, token: test-token, account: {subdomain: acme, id: 7039099}}
sinks:
  books:
    type: http
    url: ${RELAY_SANDBOX_URL}/accounting
    idempotency: honoured
    rate: 200/s  # so that much is unsettled when the fault begins
    timeout: 2s
    retry: [200ms, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]
worker: {inbox_lease: 2s, lease_margin: 1s}
routes:
  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}
"""


class RunResult(Record):
    """What came of a run."""

    fault: str
    seed: int
    acknowledged: int
    unsettled: float  # the share of what was acknowledged, when the fault began
    delivered: int
    lost: int
    doubled: int  # arrived more than once, under one key
    unexplained: int  # of those, without an attempt that was cut; or done twice
    broken: list[str]  # invariants of the store
    last_seconds: float  # from the end of the fault to the last one's arrival

    @property
    def good(self) -> bool:
        """Whether nothing was lost, nothing is unexplained and all is in order."""
        return not (self.lost or self.unexplained or self.broken)


@contextmanager
def relay_under_test(folder: Path) -> Iterator[Processes]:
    """Run the relay to which it is done."""
    with run_relay(folder, CONFIG) as processes:
        yield processes


def run_fault(processes: Processes, fault: str, seed: int, number: int, hooks: int = HOOKS) -> RunResult:
    """Send hooks, whose leads follow from the run's `number`, and do it to the relay meanwhile."""
    chance, first = random.Random(seed), 10_000_000 + number * 10_000
    leads = range(first, first + hooks)
    senders = Senders(processes, leads)
    senders.start()
    enough = hooks // 3 + chance.randrange(hooks // 5)
    until(lambda: len(senders.acknowledged) >= enough, what=f"{enough} acknowledged hooks")
    settled, taken = len(read_received(processes, leads).requests), len(senders.acknowledged)
    FAULTS[fault](processes, chance)
    ended = time.time()
    senders.join()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (received := read_received(processes, leads)).requests.keys() != senders.acknowledged:
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    doubled = {lead for lead, times in received.requests.items() if times > 1}
    twice = {lead for lead, times in received.effects.items() if times > 1}
    return RunResult(
        fault=fault,
        seed=seed,
        acknowledged=len(senders.acknowledged),
        unsettled=round(1 - settled / max(taken, 1), 2),
        delivered=len(received.requests),
        lost=len(senders.acknowledged - received.requests.keys()),
        doubled=len(doubled),
        unexplained=len(twice | unexplained(processes, doubled)),
        broken=broken(processes),
        last_seconds=round(max(received.last_at / 1000 - ended, 0), 1),
    )
