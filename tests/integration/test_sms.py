"""Texts over the real store to fake gateways: each arrives there exactly once, even if answers are lost."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiohttp import web

from relay.model import DeliveryState, Outcome
from relay.sandbox.vendors.base import VendorRequest
from relay.sandbox.vendors.smsc import FakeSmsc
from relay.sandbox.vendors.smsru import FakeSmsru
from relay.sandbox.vendors.text_message import TextMessage
from relay.sinks.registry import sink_types
from relay.sinks.sms import sink as sms_sink
from relay.store.acts import Act, Author
from relay.store.gate import Gate
from relay.store.keys import sink_queue
from relay.store.requests import sink_claim_request
from tests.integration.scripted_sink import drain, queue_deliveries

PHONE = "+79161234567"
TEXT = "Заказ готов"
ACCOUNTS = {
    "smsc": {"login": "acme", "password": "s3cret-psw", "found_within": "1ms"},
    "smsru": {"api_id": "the-api-id"},
}
VENDORS = {"smsc": FakeSmsc, "smsru": FakeSmsru}


class Gateway:
    """A fake behind a port. `faults` happen one after another, each `(script, stores, fault)`."""

    def __init__(self, vendor: str) -> None:
        self.vendor = VENDORS[vendor](vendor)
        self.asked: list[str] = []
        self.faults: list[tuple[str, bool, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append(path.rpartition("/")[2])
        script, stores, fault = self.faults[0] if self.faults else ("", True, "")
        if script not in path or not fault:
            return self._respond(await self._vendor_request(request))
        del self.faults[0]
        if stores:
            self._respond(await self._vendor_request(request))
        match fault:
            case "hang":
                await asyncio.sleep(60)
            case "reset":
                assert request.transport is not None
                request.transport.abort()
            case "html":
                return web.Response(text="<html>", content_type="text/html")
        return web.Response(status=500)

    async def _vendor_request(self, request: web.Request) -> VendorRequest:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return VendorRequest(
            vendor=self.vendor.name, method=request.method, path=request.path, query=request.query_string,
            headers=headers, body=await request.read(),
        )  # fmt: skip

    def _respond(self, request: VendorRequest) -> web.Response:
        answer = self.vendor.answer(request)
        return web.Response(
            body=msgspec.json.encode(answer.content), status=answer.status, content_type="application/json"
        )


@asynccontextmanager
async def served(gateway: Gateway):
    """Serve a fake; the value is its address."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", gateway.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _found_at_once(monkeypatch):
    """A fake finds a text as soon as it has it."""
    monkeypatch.setattr(sms_sink.SmsSink, "lookup_after_ms", 1)


@pytest.fixture
def make_sink() -> Callable:
    """Return a function that makes the sink of a fake gateway at an address."""

    def make(gateway: Gateway, url: str = "http://127.0.0.1", **settings):
        kind = sink_types()[gateway.vendor.name]
        keys = {"timeout": "400ms", "retry": ["1ms"] * 5, **ACCOUNTS[gateway.vendor.name], **settings}
        return kind("sms", kind.Settings(type=kind.type, url=url, **keys))

    return make


@pytest.fixture
def wait_for(run, store, make_sink) -> Callable:
    """Return a function that stores texts for a sink, and returns the ids of their deliveries."""

    def wait_for(gateway: Gateway, *texts: tuple[str, str]) -> list[str]:
        contents = [make_sink(gateway).content({"phone": phone, "text": text}) for phone, text in texts]
        return queue_deliveries(run, store, contents, "sms")

    return wait_for


@pytest.fixture
def drained(run, store, namespace, reader, make_sink) -> Callable:
    """Return a function that drains the sink by so many workers, and returns these deliveries."""

    def drained(gateway: Gateway, ids: list[str], workers: int = 1, **settings):
        async def go() -> None:
            async with served(gateway) as url:
                await drain(store, namespace, *[make_sink(gateway, url, **settings) for _ in range(workers)])

        run(go())
        return run(reader.deliveries(ids))

    return drained


@pytest.fixture
def outcomes(run, reader) -> Callable:
    return lambda id: [attempt.outcome for attempt in run(reader.story(id))]


@pytest.fixture
def gate_of(run, store, reader) -> Callable:
    """Return a sink's gate."""
    run(store.registry.add_sinks({"sms": "smsc"}))
    return lambda name: next(state.gate for state in run(reader.sinks()) if state.name == name)


@pytest.mark.parametrize("fault", ["hang", "reset", "500", "html"])
def test_a_text_whose_answer_was_lost_is_found_and_not_sent_again(wait_for, drained, outcomes, fault):
    gateway = Gateway("smsc")
    gateway.faults = [("send.php", True, fault)]
    (found,) = drained(gateway, wait_for(gateway, (PHONE, TEXT)))
    assert found.state is DeliveryState.DELIVERED
    assert [text.text for text in gateway.vendor.texts] == [TEXT]
    assert gateway.asked == ["send.php", "status.php"]
    assert outcomes(found.id) == [Outcome.UNKNOWN, Outcome.DELIVERED]


@pytest.mark.parametrize("fault", ["hang", "reset", "500", "html"])
def test_a_text_that_was_lost_with_its_answer_is_sent_once_more(wait_for, drained, fault):
    gateway = Gateway("smsc")
    gateway.faults = [("send.php", False, fault)]
    (found,) = drained(gateway, wait_for(gateway, (PHONE, TEXT)))
    assert found.state is DeliveryState.DELIVERED
    assert [text.text for text in gateway.vendor.texts] == [TEXT]
    assert gateway.asked == ["send.php", "status.php", "send.php"]


def test_a_text_that_is_lost_twice_is_held_for_a_person(wait_for, drained):
    gateway = Gateway("smsc")
    gateway.faults = [("send.php", False, "reset")] * 2
    (found,) = drained(gateway, wait_for(gateway, (PHONE, TEXT)))
    assert found.state is DeliveryState.HELD
    assert "sent twice already" in found.reason
    assert gateway.asked.count("send.php") == 2


def test_a_look_up_that_fails_is_asked_again_and_nothing_is_sent(wait_for, drained, monkeypatch):
    monkeypatch.setattr("relay.sinks.sms.smsc._LOOK_AGAIN_MS", 1)
    gateway = Gateway("smsc")
    gateway.faults = [("send.php", True, "hang"), ("status.php", False, "500"), ("status.php", False, "reset")]
    (found,) = drained(gateway, wait_for(gateway, (PHONE, TEXT)))
    assert found.state is DeliveryState.DELIVERED
    assert gateway.asked == ["send.php", "status.php", "status.php", "status.php"]
    assert len(gateway.vendor.texts) == 1


def test_what_a_dead_worker_was_sending_is_looked_up(run, store, wait_for, drained):
    gateway = Gateway("smsc")
    ids = wait_for(gateway, (PHONE, TEXT))
    (dying,) = run(store.claim_deliveries(sink_claim_request("sms", "dead", 1, 60_000, 8, ()))).items
    assert run(store.mark_sending([dying])) == [True]
    gateway.vendor.texts.append(TextMessage(id=dying.id, phone=PHONE, text=TEXT, sender=""))  # its bytes had left
    run(store.client.zadd(store.keys.leased(sink_queue("sms")), {dying.id: 1}))  # its lease ran out
    (found,) = drained(gateway, ids)
    assert found.state is DeliveryState.DELIVERED
    assert gateway.asked == ["status.php"]


def test_the_story_has_id_segments_and_cost_and_no_number(run, reader, wait_for, drained):
    gateway = Gateway("smsc")
    (found,) = drained(gateway, wait_for(gateway, (PHONE, "я" * 71)))
    (attempt,) = run(reader.story(found.id))
    assert (attempt.provider_id, attempt.segments, attempt.cost) == (found.id, 2, "4.8")
    assert "9161234567" not in repr(attempt)
    assert "яяя" not in repr(attempt)


def test_where_nobody_can_be_asked_a_person_decides_and_a_repetition_is_recognised(run, store, wait_for, drained):
    gateway = Gateway("smsru")
    gateway.faults = [("send", True, "hang")]
    ids = wait_for(gateway, (PHONE, TEXT))
    (found,) = drained(gateway, ids)
    assert found.state is DeliveryState.HELD
    assert run(store.acts.act_on_delivery(found.id, Act.RESEND, Author(by="anna"))).code == "done"
    (found,) = drained(gateway, ids)
    assert found.state is DeliveryState.DELIVERED
    assert "from our earlier attempt" in found.reason
    assert [text.text for text in gateway.vendor.texts] == [TEXT]


def test_a_number_that_is_refused_under_an_ok_is_a_dead_letter(wait_for, drained):
    gateway = Gateway("smsru")
    refused, sent = drained(gateway, wait_for(gateway, ("+79161230000", TEXT), (PHONE, TEXT)))
    assert (refused.state, sent.state) == (DeliveryState.DEAD, DeliveryState.DELIVERED)
    assert refused.reason.startswith("202: ")


def test_outside_of_the_window_a_text_waits_and_is_not_said_to_have_been_sent(run, store, gate_of, wait_for, drained):
    gateway = Gateway("smsc")
    opens = datetime.now(UTC) + timedelta(hours=3)
    window = f"{opens:%H}:00-{opens + timedelta(hours=2):%H}:00"
    ids = wait_for(gateway, (PHONE, TEXT))
    (found,) = drained(gateway, ids, window=window, timezone="UTC")
    assert (found.state, found.attempts, gateway.asked) == (DeliveryState.PENDING, 0, [])
    assert gate_of("sms") == Gate()
    assert "outside of the window" in found.reason
    opening = int(opens.replace(minute=0, second=0, microsecond=0).timestamp() * 1000)
    assert opening <= found.due_at < opening + 60_000  # not once an hour: the list shows when it will leave
    run(store.client.zadd(store.keys.due(sink_queue("sms")), {found.id: 1}))  # the time has come
    (found,) = drained(gateway, ids)
    assert found.state is DeliveryState.DELIVERED
    assert gateway.asked == ["send.php"]  # it was not taken for one that may have been sent


def test_four_workers_together_keep_a_quota_exactly(wait_for, drained):
    gateway = Gateway("smsc")
    ids = wait_for(gateway, *[(f"+791612345{n:02}", TEXT) for n in range(24)])
    found = drained(gateway, ids, workers=4, per_day=7)
    assert len(gateway.vendor.texts) == 7
    states = [one.state for one in found]
    assert (states.count(DeliveryState.DELIVERED), states.count(DeliveryState.PENDING)) == (7, 17)


def test_four_workers_together_send_the_same_text_to_a_number_once(wait_for, drained):
    gateway = Gateway("smsc")
    found = drained(gateway, wait_for(gateway, *[(PHONE, TEXT)] * 8), workers=4)
    assert len(gateway.vendor.texts) == 1
    assert sorted(one.state for one in found) == [DeliveryState.DELIVERED] + [DeliveryState.SKIPPED] * 7


def test_a_budget_that_is_used_up_closes_the_gate_and_says_why(gate_of, wait_for, drained):
    gateway = Gateway("smsc")
    ids = wait_for(gateway, *[(f"+791612345{n:02}", TEXT) for n in range(6)])
    found = drained(gateway, ids, workers=4, monthly_budget="7.2", segment_price="2.4")
    assert len(gateway.vendor.texts) == 3
    assert [one.state for one in found].count(DeliveryState.PENDING) == 3
    assert "the month's budget of 7.2 is used up" in gate_of("sms").reason
