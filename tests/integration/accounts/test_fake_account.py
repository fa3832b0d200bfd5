"""The fake account sends what amoCRM would: the relay's own decoder reads it."""

import asyncio
import json
import urllib.request

import pytest
from aiohttp import web

from relay.amocrm.event_names import routable_names
from relay.amocrm.events import decode_receipt
from relay.amocrm.views import event_views, main_view
from relay.model import Account, Receipt

EVERYTHING = [
    *("add_lead", "update_lead", "delete_lead", "status_lead", "responsible_lead"),
    *("add_contact", "update_contact", "responsible_contact", "add_company"),
]


@pytest.fixture
def listen(run):
    """Return a function that listens for hooks during some work and returns their events."""

    def events_during(subscribe, work):
        async def listening():
            arrived = []

            async def take(request: web.Request) -> web.Response:
                receipt = Receipt(
                    id="r", source="acme", received_at=0, body=await request.read(), content_type=request.content_type
                )
                arrived.append(decode_receipt(receipt))
                return web.Response(status=202)

            application = web.Application()
            application.router.add_post("/hooks/acme/token", take)
            runner = web.AppRunner(application)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            try:
                subscribe(f"http://127.0.0.1:{port}/hooks/acme/token")
                await asyncio.to_thread(work)
            finally:
                await runner.cleanup()
            return arrived

        return [(account, event) for account, events in run(listening()) for event in events]

    return events_during


@pytest.fixture
def control(served):
    def ask(method: str, path: str, body: object = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{served.url}/__sandbox__/{path}", data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"null")

    return ask


@pytest.fixture
def events_during(served, listen):
    """Return a function that does some work and returns the events that hooks reported meanwhile."""
    return lambda work: listen(lambda url: served.amocrm.account.subscribe(url, EVERYTHING), work)


def seen(event):
    return event_views(event)[main_view(event.name)]


def test_a_new_lead_with_its_people(events_during, control):
    """The person's address comes with an update, as in real life."""
    lead = {"name": "Кофемашина", "price": 1500, "Город": "Москва", "Дата отгрузки": 1_763_424_000,
            "company": {"name": "Ромашка"}, "contacts": [{"name": "Вера", "email": "vera@example.com"}]}  # fmt: skip
    reported = events_during(lambda: control("POST", "leads", lead))
    assert {account for account, _ in reported} == {
        Account(id="7039099", subdomain="acme", link="https://acme.amocrm.ru"),
    }
    events = {event.name: seen(event) for _, event in reported}
    assert events.keys() == {"add_company", "add_contact", "update_contact", "add_lead"}
    assert (events["add_lead"].name, events["add_lead"].price, events["add_lead"].status_id) == (
        "Кофемашина",
        "1500",
        "10216995",
    )
    assert events["add_lead"].custom["Дата отгрузки"] == "1763424000"
    assert events["add_contact"].get("email") is None
    assert events["update_contact"].email == "vera@example.com"


def test_a_stage_and_a_manager_that_change(events_during, control):
    (id,) = control("POST", "leads", {"name": "x"})["ids"]
    reported = events_during(lambda: control("PATCH", f"leads/{id}", {"status_id": 142, "responsible_user_id": 938348}))
    events = {event.name: seen(event) for _, event in reported}
    assert events.keys() == {"status_lead", "responsible_lead", "update_lead"}
    assert (events["status_lead"].old_status_id, events["status_lead"].status_id) == ("10216995", "142")
    assert events["responsible_lead"].old_responsible_user_id == "102525"


def test_a_contact_that_is_handed_over_and_a_lead_that_is_gone(events_during, control):
    (lead,) = control("POST", "leads", {})["ids"]
    (contact,) = control("POST", "contacts", {"name": "Вера"})["ids"]

    def work():
        control("PATCH", f"contacts/{contact}", {"responsible_user_id": 938348})
        control("DELETE", f"leads/{lead}")

    (_, handed_over), (_, gone) = events_during(work)
    assert "responsible_contact" in routable_names(handed_over)
    assert (gone.name, gone.entity_id) == ("delete_lead", str(lead))


def test_a_disabled_hook_is_sent_nothing_and_everything_is_remembered(events_during, control, client, run):
    def work():
        control("POST", "disable", {})
        assert control("POST", "leads", [{"name": "x"}, {"name": "y"}])["hooks"] == []

    assert events_during(work) == []

    async def remembered():
        pages = client_.pages("/api/v4/events", "events", {"filter[type]": "lead_added"}, limit=1)
        return [event["entity_type"] async for page in pages for event in page]

    client_ = client()
    assert run(remembered()) == ["lead", "lead"]
    assert control("GET", "state")["hooks"][0]["disabled"]


def test_a_listener_that_does_not_answer_is_no_reason_to_fail(served, control):
    served.amocrm.account.subscribe("http://127.0.0.1:9/x", ["add_lead"])
    answer = control("POST", "leads", {})
    assert answer["hooks"] == [{"event": "add_lead", "destination": "http://127.0.0.1:9/x", "status": None}]
