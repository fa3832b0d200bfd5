"""From a hook to applications that subscribed: a real store, the workers' own parts, a listener on this machine."""

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from relay.amocrm.events import decode_receipt
from relay.amocrm.form import encode_form
from relay.cli import deliveries
from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.model import DeliveryState, Receipt
from relay.sinks.ssrf_guard import open_guarded_session
from relay.sinks.tools import Tools
from relay.store.connect import connect
from relay.store.keys import sink_queue
from relay.store.reader import Reader
from relay.store.records import Hook
from relay.store.store import Store
from workers.drainer import Drainer
from workers.router import Router
from workers.watchdog import Watchdog

PROJECT = Path(__file__).parents[2]
HOUR = 3_600_000
LEAD = {"id": "7", "name": "Сделка №1 & Co+"}
HOOK = encode_form({"leads": {"status": [LEAD]}, "account": {"subdomain": "acme"}})
CONFIG = """
sources:
  acme: {type: amocrm, token: long-enough}
subscribers: {allow: ["127.0.0.1/32"]}
"""


class Listener:
    """An application: answers every POST with `status` and records the requests."""

    def __init__(self):
        self.status = 200
        self.requests = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.requests.append((dict(self.headers), body))
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/amocrm"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


class Relay:
    """One worker's router and drainers over a store. The test sets the time."""

    def __init__(self, store, folder, run):
        path = folder / "relay.yaml"
        path.write_text(CONFIG)
        self.store = store
        self.reader = Reader(store.client, store.keys.prefix.strip("{}:"))
        self.live = LiveConfig(ProcessSettings.from_environ({"RELAY_CONFIG": str(path)}))
        self.run = run
        self._hooks = 0

    def accept(self, id):
        """Take a hook in."""
        hook = Hook(
            id=id, source="acme", digest=id, timed=False, request_id="", content_type="", user_agent="", body=HOOK
        )
        self.run(self.store.accept([hook]))

    def tried(self, receipt):
        """Return the delivery that a receipt made, once it was tried."""
        (stored,) = self.run(self.reader.receipts([receipt]))
        return next((d for d in self.run(self.reader.deliveries(list(stored.deliveries))) if d.attempts), None)

    def hook(self):
        """Store a hook and route it; return its deliveries."""
        self._hooks += 1
        id = f"r{self._hooks}"
        self.accept(id)
        self.run(self._route())
        (receipt,) = self.run(self.reader.receipts([id]))
        return self.run(self.reader.deliveries(list(receipt.deliveries)))

    async def _route(self):
        router = Router(self.live, self.store, lambda queues: None, "w1", lambda: False, Watchdog("w1", 20))
        router.start()
        await router.finish(time.monotonic() + 10)

    def drain(self, sink):
        """Send what is due."""

        async def drain():
            session = open_guarded_session(lambda: self.live.config.subscribers.allow)
            drainer = Drainer(
                sink, self.live, self.store, Tools(session=session, shared=None, now=time.time), "w1", lambda: False
            )
            drainer.start()
            await drainer.finish(time.monotonic() + 10)
            await session.close()

        self.run(drain())

    def make_due(self, sink):
        """Make all deliveries of a sink due now."""
        client, keys = self.store.client, self.store.keys
        due = keys.due(sink_queue(sink))

        async def make_due():
            now = await self.reader.now()
            for id in await client.zrange(due, 0, -1):
                await client.zadd(due, {id: now})
            await client.zadd(keys.wake, {sink_queue(sink): now}, xx=True)

        self.run(make_due())

    def is_worth_a_look(self, sink):
        """Return whether a ticker would ring for a sink now, when all earlier bells have been received."""

        async def rung():
            await self.store.clear_bell(sink_queue(sink))
            return sink_queue(sink) in (await self.store.look("w1")).queues

        return self.run(rung())

    def state(self, delivery):
        (stored,) = self.run(self.reader.deliveries([delivery.id]))
        return stored

    def subscribe(self, url, *events):
        return self.run(self.store.subscriptions.subscribe("acme", url, events or ("status_lead",), "crm@example.com"))

    def record(self, subscription):
        return self.run(self.store.subscriptions.get(subscription.id))

    def failures(self, subscription, times):
        """Put failures into the past, by the store's clock."""
        self.run(self.store.client.rpush(self.store.keys.failures_of(subscription.id), *times))


@pytest.fixture
def relay(store, tmp_path, run):
    return Relay(store, tmp_path, run)


def test_a_hook_comes_to_who_subscribed_as_amocrm_would_have_sent_it(relay, listener):
    subscription = relay.subscribe(listener.url, "status_lead", "add_lead")
    (delivery,) = relay.hook()
    assert (delivery.route, delivery.sink, delivery.state) == ("subscription", subscription.sink, "pending")
    relay.drain(subscription.sink)
    ((headers, body),) = listener.requests
    assert headers["User-Agent"] == "amoCRM-Webhooks/3.0"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["X-Amocrm-Requestid"] == delivery.id
    account, (event,) = decode_receipt(Receipt(id="r", source="acme", received_at=0, body=body))
    assert (account.subdomain, event.name, event.data) == ("acme", "status_lead", LEAD)
    assert relay.state(delivery).state is DeliveryState.DELIVERED


def test_who_subscribes_just_before_a_hook_is_not_missed(relay, listener):
    assert relay.hook() == []
    subscription = relay.subscribe(listener.url)
    (delivery,) = relay.hook()
    assert delivery.sink == subscription.sink


def test_the_second_attempt_is_five_minutes_later_with_the_same_bytes_and_request_id(relay, listener):
    subscription = relay.subscribe(listener.url)
    (delivery,) = relay.hook()
    listener.status = 503
    relay.drain(subscription.sink)
    stored, (attempt,) = relay.state(delivery), relay.run(relay.reader.story(delivery.id))
    assert (stored.state, stored.attempts, attempt.status) == ("pending", 1, 503)
    assert stored.due_at - relay.run(relay.reader.now()) == pytest.approx(300_000, abs=10_000)
    listener.status = 200
    relay.make_due(subscription.sink)
    relay.drain(subscription.sink)
    (first, body), (second, again) = listener.requests
    assert body == again
    assert first["X-Amocrm-Requestid"] == second["X-Amocrm-Requestid"] == delivery.id
    assert relay.state(delivery).state is DeliveryState.DELIVERED


def test_gone_is_tried_twice_more_then_disables_and_what_waits_leaves_when_enabled_again(relay, listener):
    subscription = relay.subscribe(listener.url)
    first = relay.hook()[0]
    listener.status = 410
    for attempts in (1, 2):
        relay.drain(subscription.sink)
        assert (relay.state(first).state, relay.state(first).attempts) == ("pending", attempts)
        assert not relay.record(subscription).disabled
        relay.make_due(subscription.sink)
    second = relay.hook()[0]
    relay.drain(subscription.sink)
    record = relay.record(subscription)
    assert (record.disabled, record.disabled_reason) == (True, "it answered 410 Gone, at the last attempt too")
    assert (relay.state(first).state, relay.state(first).attempts) == ("dead", 3)
    assert relay.hook() == []
    assert (relay.state(second).state, relay.state(second).paused) == ("pending", record.disabled_reason)
    assert relay.state(first).paused == ""
    sent = len(listener.requests)
    relay.make_due(subscription.sink)
    relay.drain(subscription.sink)
    assert len(listener.requests) == sent
    assert not relay.is_worth_a_look(subscription.sink)

    listener.status = 200
    assert relay.run(relay.store.subscriptions.enable(subscription.id))
    assert relay.is_worth_a_look(subscription.sink)
    relay.drain(subscription.sink)
    assert (relay.state(second).state, relay.state(second).paused) == ("delivered", "")


def test_commands_say_what_a_delivery_of_a_disabled_subscription_waits_for(
    relay, listener, server, namespace, tmp_path, monkeypatch
):
    variables = {"REDIS_URL": server.url, "RELAY_NAMESPACE": namespace, "RELAY_CONFIG": str(tmp_path / "relay.yaml")}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    subscription = relay.subscribe(listener.url)
    (delivery,) = relay.hook()
    waits = f"waits for `relay subscriptions enable {subscription.id}`, the subscription is disabled: by hand"

    def printed(*arguments):
        return CliRunner().invoke(deliveries.app, arguments, catch_exceptions=False).stdout

    assert waits not in printed("list") + printed("show", delivery.id)
    relay.run(relay.store.subscriptions.disable(subscription.id, "by hand"))
    assert waits in printed("list")
    assert waits in printed("list", "--sink", subscription.sink, "--state", "pending")
    assert f"pending: {waits}" in printed("show", delivery.id)
    assert json.loads(printed("list", "--json"))[0]["paused"] == "by hand"


def test_subscribing_again_enables_and_releases_too(relay, listener):
    subscription = relay.subscribe(listener.url)
    (delivery,) = relay.hook()
    relay.run(relay.store.subscriptions.disable(subscription.id, "by hand"))
    relay.drain(subscription.sink)
    assert listener.requests == []
    relay.subscribe(listener.url)
    relay.drain(subscription.sink)
    assert relay.state(delivery).state is DeliveryState.DELIVERED


@pytest.mark.parametrize(
    ("earlier", "status", "disabled"),
    [
        ([0.1] * 99, 500, False),  # with this one 100: not over
        ([0.1] * 100, 500, True),
        ([0.1] * 100, 404, True),
        ([0.1] * 100, 200, False),  # the last one did not fail
        ([1.99] + [0.1] * 99, 500, True),
        ([2.01] + [0.1] * 99, 500, False),  # the oldest is out of the two hours
        ([2.01] * 50 + [0.1] * 100, 500, True),
    ],
)
def test_over_100_failures_in_two_hours_and_the_last_one_failed(relay, listener, earlier, status, disabled):
    subscription = relay.subscribe(listener.url)
    relay.hook()
    now = relay.run(relay.reader.now())
    relay.failures(subscription, [int(now - hours * HOUR) for hours in earlier])
    listener.status = status
    relay.drain(subscription.sink)
    record = relay.record(subscription)
    assert record.disabled is disabled
    assert record.disabled_reason.startswith("more than 100 failures in 2 hours") is disabled


def test_101_failing_calls_disable_and_enabling_begins_a_new_count(relay, listener):
    subscription = relay.subscribe(listener.url)
    for _ in range(51):
        relay.hook()
    listener.status = 404
    relay.drain(subscription.sink)
    assert not relay.record(subscription).disabled
    relay.make_due(subscription.sink)
    relay.drain(subscription.sink)
    assert relay.record(subscription).disabled
    assert len(listener.requests) in (101, 102)  # the last may have been on its way at the 101st: it changes nothing
    relay.run(relay.store.subscriptions.enable(subscription.id))
    relay.make_due(subscription.sink)
    relay.drain(subscription.sink)
    assert not relay.record(subscription).disabled


def test_an_address_that_is_not_public_is_never_called_and_counts_as_a_failure(relay, listener):
    port = listener.url.rpartition(":")[2]
    subscription = relay.subscribe(f"http://localhost:{port}")
    (delivery,) = relay.hook()
    relay.drain(subscription.sink)
    assert listener.requests == []
    assert relay.state(delivery).reason == "the address is not allowed: localhost is loopback; again in 5m"
    assert relay.run(relay.store.client.llen(relay.store.keys.failures_of(subscription.id))) == 1


def test_what_waits_for_who_unsubscribes_is_skipped(relay, listener):
    subscription = relay.subscribe(listener.url)
    (delivery,) = relay.hook()
    relay.run(relay.store.subscriptions.disable(subscription.id, "by hand"))
    relay.run(relay.store.subscriptions.unsubscribe("acme", listener.url))
    assert relay.is_worth_a_look(subscription.sink)
    relay.drain(subscription.sink)
    stored = relay.state(delivery)
    assert (stored.state, stored.reason, listener.requests) == ("skipped", "the application unsubscribed", [])


def test_one_that_fails_does_not_hold_up_another(relay, listener):
    deaf = relay.subscribe("http://127.0.0.1:1/")
    hearing = relay.subscribe(listener.url)
    deliveries = {delivery.sink: delivery for delivery in relay.hook()}
    relay.drain(deaf.sink)
    relay.drain(hearing.sink)
    assert relay.state(deliveries[hearing.sink]).state is DeliveryState.DELIVERED
    assert relay.state(deliveries[deaf.sink]).state is DeliveryState.PENDING


class Worker:
    """A worker process, as `relay worker` runs it."""

    def __init__(self, url, folder):
        environ = {**os.environ, "REDIS_URL": url, "RELAY_CONFIG": str(folder / "relay.yaml"), "RELAY_LOG": "json"}
        command = [sys.executable, "-m", "celery", "--app", "workers.app", "worker", "--pool", "threads", "-c", "2"]
        self._log = (folder / "worker.log").open("ab")
        self._process = subprocess.Popen(command, env=environ, stdout=self._log, stderr=self._log, cwd=PROJECT)

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._log.close()


def test_subscriptions_and_what_waits_for_them_survive_a_kill_of_everything(
    start_server, tmp_path, run, listener, until
):
    server = start_server()

    def opened():
        return Relay(Store(connect(server.url, answer_seconds=10)), tmp_path, run)

    relay = opened()
    subscription = relay.subscribe(listener.url)
    other = relay.subscribe("https://crm.example.com/hooks", "add_lead")
    run(relay.store.subscriptions.disable(other.id, "by hand"))
    listener.status = 503
    worker = Worker(server.url, tmp_path)
    try:
        relay.accept("r1")
        delivery = until(lambda: relay.tried("r1"), 60)
    finally:
        worker.kill()
    run(relay.store.client.aclose())
    server.kill()
    server.start()

    relay = opened()
    assert relay.record(subscription) == subscription
    assert relay.record(other).disabled_reason == "by hand"
    assert (relay.state(delivery).state, relay.state(delivery).attempts) == ("pending", 1)
    listener.status = 200
    worker = Worker(server.url, tmp_path)
    try:
        relay.make_due(subscription.sink)
        until(lambda: relay.state(delivery).state is DeliveryState.DELIVERED, 60)
        relay.accept("r2")
        until(lambda: len(listener.requests) == 3, 60)
    finally:
        worker.kill()
    (_, first), (_, again), _ = listener.requests
    assert first == again
    run(relay.store.client.aclose())
