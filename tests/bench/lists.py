"""`python -m tests.bench.lists`: how long lists take over 100,000 deliveries, and how long each call keeps the store.

The longest command is by the store's slow log, so it has what the machine did meanwhile in it.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import uuid_utils
from redis.asyncio import Redis

from relay.embedded.server import EmbeddedStore
from relay.model import DeliveryState
from relay.operations.search import EventFilter, find_deliveries, find_events
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.store import Store
from tests.integration.store.shapes import event, hook, new, routed
from workers.newest_indexer import NewestIndexer

SINKS = ("books", "sms", "letters")
STATES = [*["delivered"] * 4, *["dead"] * 3, *["pending"] * 3]
LISTS = [
    (find_events, {}), (find_events, {"state": "unrouted"}), (find_events, {"event": "none"}),
    (find_events, {"sink": "none"}), (find_events, {"entity": ("lead", "7")}), (find_deliveries, {}),
    (find_deliveries, {"state": "skipped"}), (find_deliveries, {"state": "dead"}),
    (find_deliveries, {"state": "pending"}), (find_deliveries, {"state": "dead", "source": "none"}),
    (find_deliveries, {"event": "none"}),
]  # fmt: skip


async def bench(url: str, count: int) -> None:
    client = connect(url, answer_seconds=30)
    await fill(Store(client), count)
    reader = Reader(client)
    await find_events(reader, EventFilter())  # the store knows the script from now on
    await client.config_set("slowlog-log-slower-than", 0)
    await client.config_set("slowlog-max-len", 10_000)
    for find, filters in LISTS:
        await client.slowlog_reset()
        cpu, began = await processor_ms(client), time.perf_counter()
        page = await find(reader, EventFilter(**filters))
        took, cpu = time.perf_counter() - began, await processor_ms(client) - cpu
        calls = [one["duration"] for one in await client.slowlog_get(10_000) if one["command"].startswith(b"EVAL")]
        sys.stdout.write(
            f"{find.__name__:<16} {filters!s:<38} {len(page.items):>3} found, looked at {page.looked:>6} of "
            f"{page.total:>6}: {took * 1000:4.0f} ms, {len(calls):>3} calls of {cpu / max(len(calls), 1):.1f} ms "
            f"of its processor, the longest took {max(calls, default=0) / 1000:.1f} ms\n"
        )
    await client.aclose()


async def processor_ms(client: Redis) -> float:
    used = await client.info("cpu")
    return (used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]) * 1000


async def fill(store: Store, count: int) -> None:
    """Store receipts with a delivery each, in all states, of three sinks; a thousand are about one lead."""
    await store.registry.add_sinks(dict.fromkeys(SINKS, "http"))
    for start in range(0, count, 100):
        await store.accept([hook(str(uuid_utils.uuid7()), b"%d" % n) for n in range(start, start + 100)])
        receipts = (await store.claim_receipts("bench", 100, 60_000)).items
        parts = []
        for n, receipt in enumerate(receipts, start):
            state = DeliveryState(STATES[n % len(STATES)])
            delivery = new(str(uuid_utils.uuid4()), receipt.id, sink=SINKS[n % len(SINKS)], state=state)
            parts.append(routed(receipt, delivery, events=[event(0, "7" if n < 1000 else str(n))]))
        await store.save_routed("bench", parts)
    indexer = NewestIndexer(store)  # as a worker's job does meanwhile
    while await indexer.index_batch():
        pass


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = EmbeddedStore(Path(folder), "--appendonly", "no")
        server.start()
        try:
            asyncio.run(bench(server.url, int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
        finally:
            server.kill()
