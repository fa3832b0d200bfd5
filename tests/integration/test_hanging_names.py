"""Host names that never answer: who has none of them does not notice, and who only waited for a turn has not failed."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from relay.amocrm.form import encode_form
from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.model import DeliveryState, is_subscriber
from relay.sinks.ssrf_guard import open_guarded_session
from relay.sinks.tools import Tools
from relay.store.records import Hook
from relay.store.shared_state import SharedState
from relay.transport import CachingResolver, Session, lookup_bounds, resolver
from tests.name_server import FakeNameServer
from workers.drainer import Drainer
from workers.router import Router
from workers.watchdog import Watchdog

CONFIG = """
sources:
  acme: {{type: amocrm, token: long-enough}}
  globex: {{type: amocrm, token: long-enough-too}}
sinks:
  lost: {{type: http, url: "http://hang-one.example.com"}}
  gone: {{type: http, url: "http://hang-two.example.com"}}
  books: {{type: http, url: "http://127.0.0.1:{port}"}}
subscribers: {{allow: [127.0.0.1/32, crm.globex.example.com]}}
routes:
  - name: everywhere
    source: acme
    on: [status_lead]
    to: [lost, gone, books]
    body: {{id: "{{{{ lead.id }}}}"}}
"""


class Application:
    """Answers every POST with 200 and counts them."""

    def __init__(self) -> None:
        self.posts = 0
        self._all = asyncio.Event()
        self._wanted = 0

    @asynccontextmanager
    async def listening(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
                await reader.readexactly(length)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                self.posts += 1
                if self.posts >= self._wanted:
                    self._all.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def wait_for(self, posts: int) -> None:
        self._wanted = posts
        if self.posts < posts:
            async with asyncio.timeout(60):
                await self._all.wait()


class Worker:
    """The parts of a worker process that send, as it composes them."""

    def __init__(self, store, servers, folder, port):
        path = folder / "relay.yaml"
        path.write_text(CONFIG.format(port=port))
        self.store = store
        self.live = LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))
        names, shared = CachingResolver(servers), SharedState(store.client, "names")
        self.own = Tools(Session(names), shared, time.time)
        guarded = open_guarded_session(lambda: self.live.config.subscribers.allow, names)
        self.guarded = Tools(guarded, shared, time.time)
        self.drainers = []

    async def route(self, source, ids):
        hooks = [
            Hook(id=f"{source}-{id}", source=source, digest=f"{source}-{id}", timed=False, request_id="",
                 content_type="", user_agent="", body=encode_form({"leads": {"status": [{"id": str(id)}]}}))
            for id in ids
        ]  # fmt: skip
        await self.store.accept(hooks)
        router = Router(self.live, self.store, lambda queues: None, "w1", lambda: False, Watchdog("w1", 20))
        router.start()
        await router.finish(time.monotonic() + 60)

    def drain(self, *sinks):
        for sink in sinks:
            tools = self.guarded if is_subscriber(sink) else self.own
            self.drainers.append(Drainer(sink, self.live, self.store, tools, "w1", lambda: False))
            self.drainers[-1].start()

    async def finish(self):
        await asyncio.gather(*[drainer.finish(time.monotonic() + 60) for drainer in self.drainers])
        await self.own.session.close()
        await self.guarded.session.close()


@asynccontextmanager
async def worker(store, folder):
    application = Application()
    async with (
        application.listening() as port,
        FakeNameServer({"crm.globex.example.com": ["127.0.0.1"]}).open() as names,
    ):
        composed = Worker(store, names, folder, port)
        try:
            yield composed, application, port
        finally:
            await composed.finish()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(lookup_bounds, "WAIT_S", 0.2)
    monkeypatch.setattr(resolver, "NAME_S", 1.0)


def test_two_sinks_whose_names_hang_hold_up_no_third_one(store, tmp_path, run):
    async def scenario():
        async with worker(store, tmp_path) as (relay, books, _):
            await relay.route("acme", range(10))
            relay.drain("lost", "gone")
            relay.drain("books")
            await books.wait_for(10)
            return books.posts

    assert run(scenario()) == 10


def test_forty_hanging_subscriptions_of_one_account_hold_up_no_other_account_s(store, reader, tmp_path, run):
    async def scenario():
        async with worker(store, tmp_path) as (relay, application, port):
            for n in range(40):
                await store.subscriptions.subscribe("acme", f"http://hang-{n}.example.com/", ("status_lead",), "evil")
            address = f"http://crm.globex.example.com:{port}/"
            honest = await store.subscriptions.subscribe("globex", address, ("status_lead",), "globex")
            await relay.route("acme", [1])
            await relay.route("globex", range(20))
            relay.drain(*[subscription.sink for subscription in await store.subscriptions.list("acme")])
            relay.drain(honest.sink)
            await application.wait_for(20)
        return await store.subscriptions.list("acme")

    hostile = run(scenario())
    (receipt,) = run(reader.receipts(["acme-1"]))
    waiting = {delivery.sink: delivery for delivery in run(reader.deliveries(list(receipt.deliveries)))}
    assert len(hostile) == 40
    only_waited = 0
    for subscription in hostile:
        delivery = waiting[subscription.sink]
        attempts = run(reader.story(delivery.id))
        tried = [attempt for attempt in attempts if attempt.outcome == "retry"]
        assert delivery.state is DeliveryState.PENDING
        assert attempts
        assert run(store.client.llen(store.keys.failures_of(subscription.id))) == delivery.attempts == len(tried)
        only_waited += not tried
        assert tried or attempts[0].reason.startswith("not tried yet: ")
    assert only_waited, "nobody had to wait"
