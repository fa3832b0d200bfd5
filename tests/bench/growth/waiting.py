"""What a delivery costs the store where more and more wait: from its hook to its end, one at a time."""

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from relay.config.load import load_file
from relay.model import Decision, DecisionKind, DeliveryState, Outcome
from relay.operations.problems import read_problems
from relay.sinks.registry import sink_types
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.records import Settlement
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from tests.bench.million import NAMESPACE, Bench
from tests.bench.stack import CONFIG, relay_store, run
from tests.bench.store_costs import read_costs
from tests.integration.store.shapes import attempt, hook, new, routed

ROUNDS: Final = 100
LEASE_MS: Final = 600_000
DONE: Final = Decision(kind=DecisionKind.SETTLE, state=DeliveryState.DELIVERED, reason="200")


def measure_waiting(logs: Path, counts: Sequence[float]) -> list[dict[str, float]]:
    """Return the costs of a delivery's calls where so many wait, of what is looked at each minute, and their memory."""
    found = []
    with relay_store(logs / "waiting", "0,1") as server:
        bench = Bench(server.url)
        empty = bench.client.info("memory")["used_memory"]
        for count in map(int, counts):
            run(bench.fill(count - _waiting(bench)))
            assert _waiting(bench) == count
            run(_live(bench, ROUNDS // 4))  # the scripts are known from now on
            bench.client.slowlog_reset()
            cpu, costs = _processor_us(bench), read_costs([server])
            run(_live(bench, ROUNDS))
            cpu, costs = _processor_us(bench) - cpu, read_costs([server]) - costs
            calls = [one["duration"] / 1000 for one in bench.client.slowlog_get(100_000) if b"EVAL" in one["command"]]
            assert _waiting(bench) == count
            used = bench.client.info("memory")["used_memory"] - empty
            before = read_costs([server])
            run(_look_for_problems(bench))
            found.append(
                {
                    "store_cpu_us": round(cpu / ROUNDS, 1),
                    "commands": round(costs.commands / ROUNDS, 2),
                    "scripts": round(costs.scripts / ROUNDS, 2),
                    "median_script_ms": round(statistics.median(calls), 3),
                    "longest_ms": round(max(calls), 2),
                    "minute_commands": (read_costs([server]) - before).commands,
                    "store_mb": round(used / 1e6, 2),
                }
            )
    return found


def _waiting(bench: Bench) -> int:
    return int(bench.client.zcard(f"{{{NAMESPACE}}}:due:sink:receiver"))


def _processor_us(bench: Bench) -> float:
    used = bench.client.info("cpu")
    return (used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]) * 1e6


async def _live(bench: Bench, rounds: int) -> None:
    """Take a hook, route it, claim a delivery that waits and settle it: as many wait afterwards as before."""
    store, ids = Store(connect(bench.url, answer_seconds=60), NAMESPACE), itertools.count()
    for _ in range(rounds):
        number = bench.made = bench.made + 1
        await store.accept([hook(f"one{number}", b"one %d" % number, source="bench")])
        (receipt,) = (await store.claim_receipts(f"r{number}", 1, LEASE_MS)).items
        id = f"{number:08x}-1111-4000-8000-000000000000"
        made = new(id, receipt.id, route="all", sink="receiver", content=bench.content)
        await store.save_routed(f"r{number}", [routed(receipt, made)])
        request = sink_claim_request("receiver", f"c{number}", 1, LEASE_MS, 1 << 20, [])
        (delivery,) = (await store.claim_deliveries(request)).items
        written = attempt(Outcome.DELIVERED, next(ids))
        settled = Settlement(delivery=delivery, outcome=Outcome.DELIVERED, decision=DONE, attempt=written)
        await store.settle("receiver", [settled], {})
        await store.look("bench")
    await store.client.aclose()


async def _look_for_problems(bench: Bench) -> None:
    client = connect(bench.url, answer_seconds=60)
    await read_problems(Reader(client, NAMESPACE), load_file(CONFIG, environ={}, sink_types=sink_types()))
    await client.aclose()
