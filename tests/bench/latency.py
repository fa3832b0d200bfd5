"""End to end at 50 hooks a second: from the answer to amoCRM until the delivery arrives at the sink."""

import http.client
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

from relay.embedded.server import EmbeddedStore
from tests.bench.deliver import Receiver
from tests.bench.ingest import Server
from tests.bench.measuring import MEASURED, process
from tests.bench.stack import TOKEN, environment, lead_body, worker_command

PER_SECOND = 50


def bench(server: EmbeddedStore, seconds: float, logs: Path) -> dict[str, float]:
    with ExitStack() as stack:
        receiver = Receiver(stack, logs)
        variables = environment(server, "bench-latency", BENCH_RECEIVER=receiver.url)
        web = Server(stack, "relay_latency", "relay.web.app:create", ["--factory"], logs, **variables)
        stack.enter_context(process(worker_command(), MEASURED, logs / "worker_latency.log", **variables))
        stack.enter_context(web.at_work())
        _post(web.port, 1, PER_SECOND)  # warm
        receiver.wait_for(PER_SECOND)
        accepted = _post(web.port, 1000, int(seconds * PER_SECOND))
        receiver.wait_for(PER_SECOND + len(accepted))
        arrived = receiver.ask("times")
    took = sorted((arrived[str(lead)] - at) * 1000 for lead, at in accepted.items())
    return {
        "hooks": len(took),
        "per_second": PER_SECOND,
        "p50_ms": round(statistics.median(took), 1),
        "p99_ms": round(took[int(len(took) * 0.99)], 1),
    }


def _post(port: int, first: int, count: int) -> dict[int, float]:
    """Post at an even pace; return when each was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    accepted = {}
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(began + number / PER_SECOND - time.monotonic(), 0))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", f"/hooks/bench/{TOKEN}", lead_body(first + number), headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202
        accepted[first + number] = time.monotonic()
    connection.close()
    return accepted
