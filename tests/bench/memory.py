"""Memory: bytes in the store per receipt and per event that waits or is delivered, and the worker's own.

What was delivered is packed two and a half hours later, half an hour after its mark of the duplicate rule has run out.
"""

import time
from contextlib import ExitStack
from pathlib import Path

import redis

from relay.embedded.server import EmbeddedStore
from relay.store.connect import connect
from relay.store.keys import Keys
from relay.store.packed import Packing
from relay.store.reader import Reader
from tests.bench.deliver import Receiver
from tests.bench.measuring import MEASURED, memory_bytes, process, until
from tests.bench.stack import environment, fill, run, used_memory, worker_command
from workers.packer import BATCH

NAMESPACE = "relay"  # its name is in every key: that of those who change nothing
SECRET_KEY = "of the bench, so that there is an index of people"


def bench(server: EmbeddedStore, count: int, logs: Path) -> dict[str, float]:
    with ExitStack() as stack:
        receiver = Receiver(stack, logs)
        variables = environment(server, NAMESPACE, BENCH_RECEIVER=receiver.url, RELAY_SECRET_KEY=SECRET_KEY)
        client = stack.enter_context(redis.Redis.from_url(server.url))
        gate = f"{{{NAMESPACE}}}:gate:sink:receiver"
        client.hset(gate, "paused", 1)  # so that every delivery waits

        empty = run(used_memory(server.url))
        run(fill(server.url, NAMESPACE, count))
        stored = run(used_memory(server.url))
        # The marks of the duplicate rule live for two hours; they are part of all figures but the last.
        worker = stack.enter_context(process(worker_command(), MEASURED, logs / "worker_memory.log", **variables))
        waiting = f"{{{NAMESPACE}}}:due:sink:receiver"
        until(lambda: client.zcard(waiting) >= count, seconds=600, every=0.2)
        time.sleep(1)
        routed, before = run(used_memory(server.url)), memory_bytes(worker.pid)
        client.delete(gate)
        client.zadd(f"{{{NAMESPACE}}}:wake", {"sink:receiver": 0})  # tickers ignore a paused queue
        peak = before
        while receiver.ask("count")["count"] < count:
            peak = max(peak, memory_bytes(worker.pid))
            time.sleep(0.5)
        until(lambda: client.zcard(waiting) + client.zcard(f"{{{NAMESPACE}}}:leased:sink:receiver") == 0)
        delivered = run(used_memory(server.url))
        run(pass_hours(server.url))
        packed = run(used_memory(server.url))
    return {
        "receipts": count,
        "bytes_per_stored_receipt": round((stored - empty) / count),
        "bytes_per_event_with_waiting_delivery": round((routed - empty) / count),
        "bytes_per_delivered_event": round((delivered - empty) / count),
        "bytes_per_packed_event": round((packed - empty) / count),
        "worker_mb_before_draining": round(before / 1e6, 1),
        "worker_mb_peak_while_draining": round(peak / 1e6, 1),
    }


async def pass_hours(url: str, namespace: str = NAMESPACE) -> None:
    """Do what two and a half hours do: the marks of the duplicate rule run out, and what is finished is packed."""
    client = connect(url, answer_seconds=30)
    async for key in client.scan_iter(Keys(namespace).duplicates("*", "*"), count=1000):
        await client.unlink(key)
    packing, reader = Packing(client, namespace), Reader(client, namespace)
    while await packing.pack_next(await reader.now(), BATCH, after_ms=0):
        pass
    assert await client.zcard(reader.keys.finished) == 0
    await client.aclose()
