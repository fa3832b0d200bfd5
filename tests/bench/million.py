"""`python -m tests.bench.million [COUNT]`: what a thousand waiting deliveries cost, and what a million do.

The same at both: commands of a claim, how long each script keeps the store, and a worker's memory while it delivers.
Deliveries are made by the store's own scripts, 500 of each receipt, so that a million take minutes and a gigabyte.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import redis

from relay.config.load import load_file
from relay.embedded.server import EmbeddedStore
from relay.model import Decision, DecisionKind, DeliveryState, Outcome, Receipt
from relay.planning import plan_receipts
from relay.sinks.registry import make_sinks, sink_types
from relay.store.connect import connect
from relay.store.records import Settlement
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from tests.bench.deliver import Receiver
from tests.bench.measuring import MEASURED, memory_bytes, process, until
from tests.bench.stack import BODY, CONFIG, environment, relay_store, run, worker_command
from tests.integration.store.shapes import attempt, hook, new, routed

NAMESPACE = "bench-million"
FEW = 1000
OF_A_RECEIPT = 500
LEASE_MS = 600_000
AT_ONCE, ROUNDS = 50, 8  # with what warms up 900: no more than there are of few
WORKER_SECONDS = 30
OWN = ("info", "ping", "config", "slowlog", "client", "hello", "evalsha", "eval")
DONE = Decision(kind=DecisionKind.SETTLE, state=DeliveryState.DELIVERED, reason="200")
DUE = f"{{{NAMESPACE}}}:due:sink:receiver"


class Bench:
    """A store of which the processor's time and the commands of every script are read."""

    def __init__(self, url: str) -> None:
        self.url, self.client = url, redis.Redis.from_url(url)
        self.client.config_set("slowlog-log-slower-than", 0)
        self.client.config_set("slowlog-max-len", 1_000_000)
        self.made = 0
        self.content = content_of_a_hook()

    async def fill(self, count: int) -> None:
        """Let so many more deliveries wait, by the scripts that routing calls."""
        target = Store(connect(self.url, answer_seconds=60), NAMESPACE)
        await target.registry.add_sinks({"receiver": "http"})
        last = self.made + count
        while self.made < last:
            numbers = range(self.made, min(self.made + OF_A_RECEIPT, last))
            await target.accept([hook(f"r{self.made}", b"%d" % self.made, source="bench")])
            (receipt,) = (await target.claim_receipts("fill", 1, LEASE_MS)).items
            made = [new(f"{n:08x}-0000-4000-8000-000000000000", receipt.id, route="all", sink="receiver",
                        content=self.content) for n in numbers]  # fmt: skip
            await target.save_routed("fill", [routed(receipt, *made)])
            self.made = numbers[-1] + 1
        await target.client.aclose()

    async def measure(self) -> dict[str, str]:
        """Claim, settle and claim, settle, and retire: commands of a call, and how long each kept the store."""
        target, number, found = Store(connect(self.url, answer_seconds=60), NAMESPACE), itertools.count(), {}

        def request():
            return sink_claim_request("receiver", f"bench:{next(number)}", AT_ONCE, LEASE_MS, 1 << 20, [])

        def settled(items) -> list[Settlement]:
            written = attempt(Outcome.DELIVERED, next(number))
            return [Settlement(delivery=d, outcome=Outcome.DELIVERED, decision=DONE, attempt=written) for d in items]

        held = [(await target.claim_deliveries(request())).items]
        with self.scripts(found, "claim"):
            held += [(await target.claim_deliveries(request())).items for _ in range(ROUNDS)]
        held.append((await target.settle_and_claim("receiver", settled(held.pop()), {}, request()))[1].items)
        with self.scripts(found, "settle and claim"):
            for _ in range(ROUNDS):
                _, claim = await target.settle_and_claim("receiver", settled(held.pop(0)), {}, request())
                held.append(claim.items)
        assert all(len(items) == AT_ONCE for items in held)
        with self.scripts(found, "settle"):
            for items in held:
                await target.settle("receiver", settled(items), {})
        with self.scripts(found, "look"):
            await target.look("bench")
        with self.scripts(found, "retire"):
            while (await target.retention.apply(0, 0, 0)).more:
                pass
        await target.client.aclose()
        return found

    def count_commands(self) -> int:
        """Count the commands that the store has run, those of scripts among them, without what the bench asks."""
        return sum(n for name, n in self._calls().items() if name not in OWN)

    def count_scripts(self) -> int:
        """Count the calls of scripts."""
        return self._calls().get("evalsha", 0)

    def _calls(self) -> dict[str, int]:
        calls: dict[str, int] = {}
        for name, one in self.client.info("commandstats").items():
            command = name.removeprefix("cmdstat_").split("|")[0]
            calls[command] = calls.get(command, 0) + one["calls"]
        return calls

    def processor_ms(self) -> float:
        """Return what the thread that runs commands has used of its processor."""
        used = self.client.info("cpu")
        return float(used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]) * 1000

    def scripts(self, found: dict[str, str], name: str) -> "Watched":
        return Watched(self, found, name)


class Watched:
    """Notes what the scripts cost that are called meanwhile."""

    def __init__(self, bench: Bench, found: dict[str, str], name: str) -> None:
        self._bench, self._client, self._found, self._name = bench, bench.client, found, name

    def __enter__(self) -> None:
        self._client.slowlog_reset()
        self._commands = self._bench.count_commands()
        self._processor = self._bench.processor_ms()

    def __exit__(self, *_: object) -> None:
        processor = self._bench.processor_ms() - self._processor
        calls = [one["duration"] / 1000 for one in self._client.slowlog_get(100_000) if b"EVALSHA" in one["command"]]
        each = (self._bench.count_commands() - self._commands) / len(calls)
        self._found[self._name] = (
            f"{each:.1f} commands, {processor / len(calls):.2f} ms of its processor; "
            f"median {statistics.median(calls):.2f} ms, longest {max(calls):.2f} ms, of {len(calls)}"
        )


def content_of_a_hook() -> bytes:
    """Render what the bench's route sends of its hook."""
    config = load_file(CONFIG, environ={}, sink_types=sink_types())
    form = "application/x-www-form-urlencoded"
    receipt = Receipt(id="r", source="bench", received_at=0, body=BODY.read_bytes(), content_type=form)
    (part,) = plan_receipts([receipt], config, make_sinks(config))
    return part.deliveries[0].content


def worker_memory(bench: Bench, server: EmbeddedStore, waiting: int, logs: Path) -> tuple[float, int]:
    """Let a worker deliver for a while, of about so many. Returns its peak in MB, and how many it delivered."""
    with ExitStack() as stack:
        receiver = Receiver(stack, logs)
        variables = environment(server, NAMESPACE, BENCH_RECEIVER=receiver.url)
        worker = stack.enter_context(process(worker_command(), MEASURED, logs / "worker.log", **variables))
        until(lambda: receiver.ask("count")["count"] > 0, seconds=120)
        peak, end = 0, time.monotonic() + WORKER_SECONDS
        while time.monotonic() < end:
            if (missing := waiting - bench.client.zcard(DUE)) > OF_A_RECEIPT:
                run(bench.fill(missing))
            peak = max(peak, memory_bytes(worker.pid))
            time.sleep(0.02)
        return round(peak / 1e6, 1), receiver.ask("count")["count"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.million")
    parser.add_argument("count", nargs="?", type=int, default=1_000_000)
    counts = FEW, parser.parse_args().count
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, relay_store(Path(folder)) as server:
        bench = Bench(server.url)
        for count in counts:
            run(bench.fill(count - bench.client.zcard(DUE)))
            used = bench.client.info("memory")["used_memory"] / 1e6
            sys.stdout.write(f"{bench.client.zcard(DUE):,} waiting, the store uses {used:.0f} MB\n")
            for name, cost in run(bench.measure()).items():
                sys.stdout.write(f"  {name:<17} {cost}\n")
            peak, delivered = worker_memory(bench, server, count, Path(folder))
            sys.stdout.write(f"  a worker          {peak} MB at most, {delivered:,} delivered\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
