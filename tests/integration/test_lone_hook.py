"""What a hook costs that comes alone: how often the store's disk is waited for, one sync after another, and commands.

A store of its own, which syncs what it writes; a real router and drainer, and a receiver that answers at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from relay.amocrm.form import encode_form
from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.records import Handed
from relay.store.store import Store
from relay.store.wake_ups import WakeUps
from tests.bench.store_costs import read_costs
from tests.integration.invariants import broken_invariants
from tests.integration.scripted_sink import open_tools
from tests.integration.store.shapes import hook
from workers.drainer import Drainer
from workers.router import Router
from workers.watchdog import Watchdog

CONFIG = """
sources:
  acme: {type: amocrm, token: long-enough}
sinks:
  books: {type: http, url: "http://127.0.0.1:%d/", idempotency: %s}
routes:
  - {name: leads, on: add_lead, to: books, body: {id: "{{ lead.id }}"}}
"""
HOOKS_BEFORE = 3  # by then scripts are known and connections open
SYNCS_AND_COMMANDS = [
    ("honoured", True, 3, 45),
    ("none", True, 4, 50),
    ("honoured", False, 4, 52),
    ("none", False, 5, 57),
]


@asynccontextmanager
async def open_receiver() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer every request at once. Yields the port, and the requests."""
    requests: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            (length,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            requests.append(await reader.readexactly(int(length.partition(b":")[2])))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], requests


class Worker:
    """A router and the drainer that it claims for, over a store. It may listen."""

    def __init__(self, live: LiveConfig, store: Store, tools, wake_ups: WakeUps | None) -> None:
        self._store, self._wake_ups = store, wake_ups
        self._drainer = Drainer("books", live, store, tools, "w", lambda: False)
        watchdog = Watchdog("w", 20)
        self._router = Router(
            live, store, self._start, "w", lambda: False, watchdog, drainer_of=lambda _: self._drainer
        )

    def _start(self, queues) -> None:
        for _ in queues:
            self._drainer.start()

    async def look(self) -> None:
        """Say that it listens, where it does."""
        if self._wake_ups:
            assert (await self._store.look("w", listens=True)).listens
            assert await self._wake_ups.next() == ""

    async def deliver(self, id: int) -> None:
        """Accept a hook, and do what there is to do."""
        body = encode_form({"leads": {"add": [{"id": str(id), "name": f"Сделка №{id}"}]}})
        await self._store.accept([hook(f"r{id}", body)])
        if self._wake_ups:
            handed = await self._wake_ups.next()
            assert isinstance(handed, Handed)
            self._router.take(handed)
            await asyncio.gather(*self._router._handed._tasks)
        else:
            self._router.start()
            await self._router._routing.wait()
        await self._drainer._draining.wait()


@pytest.mark.parametrize(("idempotency", "listens", "syncs", "most"), SYNCS_AND_COMMANDS)
def test_it_waits_for_the_disk_three_times_and_once_more_where_a_mark_is_needed_or_nobody_listens(
    run, start_server, tmp_path, idempotency, listens, syncs, most
):
    server = start_server()

    async def trace() -> tuple[int, int, list[bytes]]:
        store = Store(connect(server.url, answer_seconds=10))
        async with open_receiver() as (port, requests), open_tools(store, store.namespace) as tools:
            path = tmp_path / "relay.yaml"
            path.write_text(CONFIG % (port, idempotency))
            live = LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))
            await store.registry.add_sinks(live.types_of_sinks(), live.max_pending())
            wake_ups = await store.open_wake_ups("w") if listens else None
            worker = Worker(live, store, tools, wake_ups)
            for id in range(HOOKS_BEFORE):
                await worker.look()
                await worker.deliver(id)
            await worker.look()
            before = read_costs([server])
            await worker.deliver(HOOKS_BEFORE)
            spent = read_costs([server]) - before
            assert await broken_invariants(store) == []
            ids = (await Reader(store.client).receipts([f"r{HOOKS_BEFORE}"]))[0].deliveries
            assert [one.state for one in await Reader(store.client).deliveries(list(ids))] == ["delivered"]
            if wake_ups:
                await wake_ups.close()
        await store.client.aclose()
        return spent.synced_writes, spent.commands, requests

    written_now, run_now, requests = run(trace())
    assert len(requests) == HOOKS_BEFORE + 1
    assert written_now == syncs
    assert run_now <= most
