"""What the pictures show: the relay of `relay demo` with its sample hooks, and an hour at which a person is needed."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.config.config import Config
from relay.config.load import load_file
from relay.demo.environment import CONFIG, demo_environ
from relay.demo.run import DemoRun
from relay.operations.search import EventFilter, find_deliveries
from relay.processes.supervisor import Processes
from relay.sinks.registry import sink_types
from relay.store.acts import Author
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.store import Store
from relay.transport import Session
from tests.e2e.harness import HookSender, inject_fault, lead_hook, until

WAITING = 87
PAUSED = Author(by="anna", why="their balance is empty, topped up on Monday")
PATH = "/hooks/demo/demo-token"


class _NoView:
    """Shows nothing of what the demo does."""

    def update(self, *_: object) -> None:
        """Do nothing."""


@contextmanager
def staged_relay(folder: Path) -> Iterator[tuple[Processes, str]]:
    """Run the relay of the demo, brought to that hour. Yields its processes, and the event that has a dead letter."""
    inherited = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with Processes(folder, demo_environ(inherited)) as processes:
        processes.start()
        config = load_file(CONFIG, environ=processes.environ, sink_types=sink_types())
        event = asyncio.run(_stage(processes, config))
        yield processes, event


async def _stage(processes: Processes, config: Config) -> str:
    client = connect(processes.environ["REDIS_URL"], answer_seconds=10)
    reader, store = Reader(client), Store(client)
    try:
        async with Session() as session:
            run = DemoRun(processes, config, reader, session, await reader.now())
            await run.send_samples(_NoView())
            await run.wait_until_settled(_NoView())
        await store.acts.pause("sms", PAUSED, None)
        await asyncio.to_thread(_refuse_the_key, processes)
        (dead,) = (await find_deliveries(reader, EventFilter(state="dead"))).items
        await _until_waiting(reader)
    finally:
        await client.aclose()
    return dead.event_id


def _refuse_the_key(processes: Processes) -> None:
    """Have the fake accounting refuse its key from now on, and send it invoices."""
    inject_fault(processes, fault="status", status=401, vendor="books", times=-1)
    sender = HookSender(processes)
    for number in range(WAITING):
        hook = lead_hook(31_926_600 + number, "status", name=f"Заказ {2400 + number}", price=str(9_900 + 350 * number))
        until(lambda hook=hook: sender.post(hook, PATH)[0] == 202, what="a hook to be taken")
    sender.close()


async def _until_waiting(reader: Reader) -> None:
    for _ in range(600):
        (books,) = [one for one in await reader.sinks() if one.name == "accounting"]
        if books.pending >= WAITING and books.gate.until:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{WAITING} deliveries to accounting do not wait behind a closed gate: {books}")
