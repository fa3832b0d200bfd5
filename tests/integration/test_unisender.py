"""Contacts sent to UniSender's fake by several workers over the real store."""

import asyncio
import re
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from relay.model import DeliveryState, Limit, Outcome
from relay.sandbox.vendors.base import VendorRequest
from relay.sandbox.vendors.unisender import WITHOUT_LETTER, FakeUnisender
from relay.sinks.tools import Tools
from relay.sinks.unisender.settings import UnisenderSettings
from relay.sinks.unisender.sink import UnisenderSink
from relay.store.keys import sink_queue
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from relay.transport import Session
from tests.integration.scripted_sink import drain, queue_deliveries

LIST = 20547


class UnisenderServer:
    """The fake vendor behind a port. Of the next `lost_answers` requests it does what is asked, but does not answer."""

    def __init__(self) -> None:
        self.vendor = FakeUnisender("unisender")
        self.calls: list[str] = []
        self.lost_answers = 0

    async def answer(self, request: web.Request) -> web.Response:
        vendor_request = VendorRequest(
            vendor="unisender",
            method=request.method,
            path=request.path,
            query=request.query_string,
            headers={},
            body=await request.read(),
        )
        self.calls.append(request.path.rpartition("/")[2])
        answer = self.vendor.answer(vendor_request)
        if self.lost_answers:
            self.lost_answers -= 1
            request.transport.abort()
        return web.json_response(answer.content)

    @asynccontextmanager
    async def open(self):
        app = web.Application(client_max_size=10 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@pytest.fixture
def unisender() -> UnisenderServer:
    """Return a fake with nobody on its lists."""
    return UnisenderServer()


@pytest.fixture
def deliver(run, store, namespace, unisender):
    """Drain sinks made with these settings against the fake."""

    async def go(*each, limits=None, store=store):
        async with unisender.open() as url:
            sinks = [UnisenderSink(name, settings(url=url, **more)) for name, more in each]
            for sink in sinks if limits is not None else ():
                sink.limits = limits
            await drain(store, namespace, *sinks)

    return lambda *each, **more: run(go(*each, **more))


def settings(**more) -> UnisenderSettings:
    fields = {"api_key": "a-key", "list_ids": [LIST], "double_optin": 3, "retry": ["1ms"], "blocked_for": "1ms"}
    return UnisenderSettings(type="unisender", **{**fields, **more})


def contents(*emails: str, **more) -> list[bytes]:
    sink = UnisenderSink("newsletter", settings())
    return [sink.content({"fields": {"email": email}, **more}) for email in emails]


def test_five_thousand_that_wait_reach_the_list_in_ten_to_twelve_imports(run, store, reader, unisender, deliver):
    emails = [f"{n}@{'bad.invalid' if n % 700 == 5 else 'example.com'}" for n in range(5000)]
    ids = queue_deliveries(run, store, contents(*emails), "newsletter")
    deliver(*[("newsletter", {})] * 4)
    good = {email for email in emails if email.endswith("example.com")}
    assert unisender.vendor.on_list(LIST) == good
    assert set(unisender.calls) == {"importContacts"}
    assert 10 <= len(unisender.calls) <= 12
    found = run(reader.deliveries(ids))
    wrong = {one.id: one.reason for one, email in zip(found, emails, strict=True) if email not in good}
    assert {one.id for one in found if one.state is DeliveryState.DEAD} == wrong.keys()
    assert {one.state for one in found} == {DeliveryState.DEAD, DeliveryState.DELIVERED}
    assert all(
        re.fullmatch(r"invalid_arg: E-mail \d\*\*\*@bad.invalid is not valid", reason) for reason in wrong.values()
    )
    assert all(one.attempts == 1 for one in found)


class Recording(Store):
    """A store that records the time of each grant, by its own clock."""

    def __init__(self, store: Store, namespace: str, log: str) -> None:
        super().__init__(store.client, namespace)
        self._log = self.keys.grants(log)
        self._one_at_a_time = asyncio.Lock()
        self.granted: list[int] = []

    async def claim_deliveries(self, *args, **more):
        async with self._one_at_a_time:
            claim = await super().claim_deliveries(*args, **more)
            await self._record(len(claim.items))
        return claim

    async def settle_and_claim(self, *args, **more):
        async with self._one_at_a_time:
            answers, claim = await super().settle_and_claim(*args, **more)
            await self._record(len(claim.items))
        return answers, claim

    async def _record(self, n: int) -> None:
        self.granted += [int(at) for at in await self.client.lrange(self._log, -n, -1)] if n else []


def test_workers_and_sinks_of_one_key_never_exceed_its_limit_in_any_window(run, store, namespace, unisender, deliver):
    count, per_ms = 25, 150
    queue_deliveries(run, store, contents(*[f"{n}@example.com" for n in range(50)]), "newsletter")
    queue_deliveries(run, store, contents(*[f"{n}@example.net" for n in range(50)]), "customers", first=50)
    recording = Recording(store, namespace, "shared")
    sinks = [("newsletter", {}), ("customers", {"list_ids": [20548]})] * 2
    deliver(*sinks, limits=(Limit(key="shared", count=count, per_ms=per_ms),), store=recording)
    assert len(unisender.calls) == len(recording.granted) == 100
    times = sorted(recording.granted)
    assert all(later - earlier >= per_ms for earlier, later in zip(times, times[count:], strict=False))


@pytest.mark.parametrize("optin", [0, 4])
def test_a_lost_answer_never_means_a_second_letter(run, store, reader, unisender, deliver, optin):
    unisender.lost_answers = 1
    (id,) = queue_deliveries(run, store, contents("anna@example.com"), "newsletter")
    deliver(("newsletter", {"double_optin": optin}))
    run(_make_due(store, id))
    deliver(("newsletter", {"double_optin": optin}))
    assert unisender.calls == ["subscribe", "getContact"]
    assert unisender.vendor.contacts["anna@example.com"].letters == 1
    assert run(reader.deliveries([id]))[0].state is DeliveryState.DELIVERED


@pytest.mark.parametrize("optin", [0, 4])
def test_a_request_that_was_lost_on_its_way_is_sent_again(run, store, reader, unisender, deliver, optin):
    (id,) = queue_deliveries(run, store, contents("anna@example.com"), "newsletter")
    (dying,) = run(store.claim_deliveries(sink_claim_request("newsletter", "dead", 1, 60_000, 8, ()))).items
    run(store.mark_sending([dying]))
    run(store.client.zadd(store.keys.leased(sink_queue("newsletter")), {id: 1}))  # as if its lease had run out
    deliver(("newsletter", {"double_optin": optin}))
    assert unisender.calls == ["getContact", "subscribe"]
    assert unisender.vendor.contacts["anna@example.com"].letters == 1


def test_a_lost_answer_without_letters_is_simply_repeated(run, store, unisender, deliver):
    unisender.lost_answers = 1
    queue_deliveries(run, store, contents("anna@example.com"), "newsletter")
    deliver(("newsletter", {}))
    assert unisender.calls == ["subscribe", "subscribe"]
    assert unisender.vendor.on_list(LIST) == {"anna@example.com"}


def test_an_excluded_contact_is_not_on_the_list_any_more(run, store, reader, unisender, deliver):
    queue_deliveries(run, store, contents("anna@example.com"), "newsletter")
    deliver(("newsletter", {}))
    emails = [f"{name}@example.com" for name in ("anna", "nobody")]
    ids = queue_deliveries(run, store, contents(*emails, action="exclude"), "newsletter", first=1)
    deliver(("newsletter", {}))
    assert unisender.vendor.on_list(LIST) == set()
    assert {one.state for one in run(reader.deliveries(ids))} == {DeliveryState.DELIVERED}


@pytest.mark.parametrize(
    ("wrong", "route", "message"),
    [
        ({"api_key": "wrong-key"}, {}, "the api_key is not valid"),
        ({"double_optin": 0}, {"list_ids": [WITHOUT_LETTER]}, "has no letter"),
    ],
)
def test_deliveries_of_a_wrongly_configured_sink_wait_until_it_is_corrected(
    run, store, reader, unisender, deliver, wrong, route, message
):
    (id,) = queue_deliveries(run, store, contents("anna@example.com", **route), "newsletter")
    deliver(("newsletter", {"blocked_for": "1h", **wrong}))
    (blocked,) = run(reader.deliveries([id]))
    assert (blocked.state, blocked.attempts) == (DeliveryState.PENDING, 0)
    assert message in blocked.reason
    run(store.client.delete(store.keys.gate(sink_queue("newsletter"))))
    run(_make_due(store, id))
    deliver(("newsletter", {}))
    assert run(reader.deliveries([id]))[0].state is DeliveryState.DELIVERED


def test_the_story_names_their_id_of_the_contact(run, store, reader, unisender, deliver):
    (id,) = queue_deliveries(run, store, contents("anna@example.com"), "newsletter")
    deliver(("newsletter", {}))
    (attempt,) = run(reader.story(id))
    assert (attempt.outcome, attempt.provider_id) == (Outcome.DELIVERED, "2500000000")


@pytest.mark.parametrize(
    ("more", "ok", "message"),
    [
        ({}, True, "contacts go to 20547 (Newsletter)"),
        ({"list_ids": [7]}, False, "there is no list 7"),
        ({"api_key": "wrong-key"}, False, "the api_key is not valid"),
    ],
)
def test_a_probe_asks_for_nothing_that_costs(run, unisender, more, ok, message):
    async def go():
        async with unisender.open() as url, Session() as session:
            return await UnisenderSink("newsletter", settings(url=url, **more)).probe(
                Tools(session=session, shared=None, now=time.time)
            )

    probe = run(go())
    assert probe.ok is ok
    assert message in probe.message
    assert unisender.calls == ["getLists"]


async def _make_due(store: Store, id: str) -> None:
    """Make a delivery due now."""
    await store.client.zadd(store.keys.due(sink_queue("newsletter")), {id: 1})
