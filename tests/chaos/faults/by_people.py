"""People act on deliveries, one by one and by bulk actions, while something else goes wrong."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from threading import Event, Thread

from relay.errors import StoreUnavailable
from relay.operations.actions import ActionKind, ActionRequest, start_action
from relay.operations.search import EventFilter
from relay.store.acts import Act, Author
from relay.store.commands import run_command
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.store import Store
from tests.chaos.faults.common import OUTAGE_SECONDS, refusing
from tests.chaos.relay_under_test import SINKS, RelayUnderTest

_AUTHOR = Author(by="chaos", why="a test")
_ACTS = (Act.RETRY, Act.CANCEL, Act.RESEND)


def act_while_refusing(relay: RelayUnderTest, chance: random.Random) -> None:
    with acting(relay, chance), refusing(relay):
        time.sleep(OUTAGE_SECONDS)


def act_while_workers_are_killed(relay: RelayUnderTest, chance: random.Random) -> None:
    with acting(relay, chance):
        for _ in range(3):
            relay.processes.kill("worker")
            relay.processes.start("worker")
            time.sleep(1)


def act_while_the_store_is_killed(relay: RelayUnderTest, chance: random.Random) -> None:
    with acting(relay, chance):
        for _ in range(2):
            relay.processes.kill("store")
            time.sleep(1)
            relay.processes.start("store")
            time.sleep(1)


def run_bulk_actions_while_workers_are_killed(relay: RelayUnderTest, chance: random.Random) -> None:
    """Retry all that waits and replay all that came, while all is refused: nothing new may come of either."""
    with refusing(relay):
        asyncio.run(_start_actions(relay))
        for _ in range(3):
            time.sleep(chance.uniform(0.5, 1.5))
            relay.processes.kill("worker")
            relay.processes.start("worker")


async def _start_actions(relay: RelayUnderTest) -> None:
    async with _open_store(relay) as store:
        reader = Reader(store.client)
        requests = [
            ActionRequest(kind=ActionKind.RETRY, filter=EventFilter(sink="books"), rate=100),
            ActionRequest(kind=ActionKind.REPLAY, filter=EventFilter(source="acme"), rate=100),
        ]
        started = [await start_action(store, reader, request, _AUTHOR) for request in requests]
        assert all(one.started for one in started), started


@asynccontextmanager
async def _open_store(relay: RelayUnderTest) -> AsyncIterator[Store]:
    client = connect(relay.url, answer_seconds=5)
    try:
        yield Store(client)
    finally:
        await client.aclose()


@contextmanager
def acting(relay: RelayUnderTest, chance: random.Random) -> Iterator[None]:
    """Act on random deliveries, in a thread."""
    ended = Event()
    thread = Thread(target=lambda: asyncio.run(_act_until(ended, relay, chance)))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


async def _act_until(ended: Event, relay: RelayUnderTest, chance: random.Random) -> None:
    client = connect(relay.url, answer_seconds=2)
    store = Store(client)
    try:
        while not ended.is_set():
            try:
                await _act_once(store, relay, chance)
            except StoreUnavailable:  # whether it was done nobody knows: the delivery counts as acted on
                await asyncio.sleep(0.1)
    finally:
        await client.aclose()


async def _act_once(store: Store, relay: RelayUnderTest, chance: random.Random) -> None:
    """Choose an act, and one of the deliveries that it may be done to, mostly."""
    act = chance.choice(_ACTS)
    sink = chance.choice(SINKS)
    ids = await _pending(store, sink) if act is not Act.RESEND else [*sorted(relay.acted_on)]
    if not ids:
        await asyncio.sleep(0.05)
        return
    id = chance.choice(ids)
    relay.acted_on.add(id)
    await store.acts.act_on_delivery(id, act, _AUTHOR)
    await asyncio.sleep(0.05)


async def _pending(store: Store, sink: str) -> Sequence[str]:
    found = await run_command(store.client.zrange(store.keys.pending(sink), 0, -1))
    return [id.decode() for id in found]
