"""A sink that answers by a script, and drainers over the real store for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

from relay.config.sink import SinkSettings
from relay.model import NewDelivery, Outcome, Result
from relay.secret import SecretStr
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.transport import Session
from relay.web.group_commit import MAX_GROUP_HOOKS
from tests.integration.store.shapes import hook, routed
from workers.drainer import Drainer


class ScriptedSettings(SinkSettings):
    """The settings of a scripted sink."""

    looks_up: ClassVar[bool] = True
    secret: SecretStr = SecretStr("")


class ScriptedSink(Sink):
    """Answers by a script, and records the calls."""

    type = "scripted"
    Settings = ScriptedSettings
    content_keys: ClassVar[dict[str, bool]] = {}
    lookup_after_ms = 1

    def __init__(self, *, sends=(), finds=(), **settings) -> None:
        fields = {"blocked_for": "1ms", "retry": ["1ms"], **settings}
        super().__init__("books", ScriptedSettings(type="scripted", **fields))
        self._sends, self._finds = iter(sends), iter(finds)
        self.calls: list[str] = []
        self.seen = []
        self.batches: list[list[str]] = []

    def content(self, params):
        return b"{}"

    def describe(self, content):
        return {}

    async def send(self, delivery, tools):
        self.calls.append("send")
        self.seen.append(delivery)
        return _next_result(self._sends)

    async def lookup(self, delivery, tools):
        self.calls.append("lookup")
        return _next_result(self._finds)

    async def send_batch(self, deliveries, tools):
        self.batches.append([delivery.id for delivery in deliveries])
        result = _next_result(self._sends)
        return [result] * len(deliveries)


def _next_result(script) -> Result:
    step = next(script, Outcome.DELIVERED)
    if isinstance(step, Exception):
        raise step
    return step if isinstance(step, Result) else Result(outcome=step, reason="scripted", after_ms=1)


def queue_deliveries(run, store, contents: Sequence[bytes], sink: str = "books", first: int = 0) -> list[str]:
    """Store a delivery of each of these contents for a sink; return their ids."""
    ids = [f"r{n:05}" for n in range(first, first + len(contents))]
    for at in range(0, len(ids), MAX_GROUP_HOOKS):
        run(store.accept([hook(id, id.encode()) for id in ids[at : at + MAX_GROUP_HOOKS]]))
    by_receipt = dict(zip(ids, contents, strict=True))
    while taken := run(store.claim_receipts("router", 100, 60_000)).items:
        parts = [
            routed(
                r,
                NewDelivery(id=f"d{r.id[1:]}", event_id=f"{r.id}.0", route="invoices", sink=sink, once=False,
                            content=by_receipt[r.id]),
            )
            for r in taken
        ]  # fmt: skip
        run(store.save_routed("router", parts))
    return [f"d{id[1:]}" for id in ids]


class SingleSinkConfig:
    """A configuration in force that has one sink."""

    config = SimpleNamespace(worker=SimpleNamespace(lease_margin=15_000), followers={})

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def find_sink(self, *_: object) -> Sink:
        return self._sink


def make_drainer(
    sink: Sink, store, tools: Tools, worker: str = "w0", stopping: Callable[[], bool] = lambda: False, hand=None
):
    """Return the drainer of a sink in a worker."""
    return Drainer(sink.name, SingleSinkConfig(sink), store, tools, worker, stopping, hand)


@asynccontextmanager
async def open_tools(store, namespace: str) -> AsyncIterator[Tools]:
    """Return what sinks send with."""
    async with Session() as session:
        yield Tools(session=session, shared=SharedState(store.client, namespace), now=time.time)


class WatchedStore(Store):
    """A store of which a test may lose answers: `lose(method)` raises where the answer to a call would be returned."""

    def __init__(self, store: Store, **lose: Callable[[], Awaitable[None]]) -> None:
        super().__init__(store.client, store.namespace)
        for name, lost in lose.items():
            setattr(self, name, self._losing(getattr(self, name), lost))

    def _losing(self, method: Callable[..., Awaitable[Any]], lost: Callable[[], Awaitable[None]]):
        async def call(*args: Any, **more: Any) -> Any:
            answer = await method(*args, **more)
            await lost()
            return answer

        return call


async def drain(store, namespace: str, *sinks: Sink) -> None:
    """Drain each of these sinks by a worker of its own until nothing may be claimed. A sink may be given twice."""
    async with open_tools(store, namespace) as tools:
        drainers = [make_drainer(sink, store, tools, f"w{n}") for n, sink in enumerate(sinks)]
        for drainer in drainers:
            drainer.start()
        await asyncio.gather(*[drainer.finish(time.monotonic() + 60) for drainer in drainers])
