"""The JSON API says and does what the commands say and do, with the same fields."""

import json

import pytest

from relay.amocrm.form import encode_form
from relay.web.admin.api.routes import OPERATIONS, description
from tests.integration.action_runs import work_off
from tests.integration.admin.conftest import ADMIN, CONFIG, READ

BEARER = {"Authorization": f"Bearer {ADMIN}"}
ROUTED = CONFIG.replace("routes: []", "routes:\n  - {name: all, on: [add_lead], to: [books]}")
PERSON = "anna.petrova@example.com"


@pytest.fixture
def api(open_pages, relay):
    relay.configure(ROUTED)
    client = open_pages(config=ROUTED, RELAY_ADMIN_TOKEN=ADMIN, RELAY_ADMIN_READ_TOKEN=READ)
    client.headers.update(BEARER)
    return client


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer, status):
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    return answer.json()["error"]


def _aged(value):
    """Leave out what counts on: ages, in milliseconds."""
    if isinstance(value, dict):
        return {key: _aged(one) for key, one in value.items() if not key.startswith("oldest_")}
    return [_aged(one) for one in value] if isinstance(value, list) else value


def test_every_list_says_what_the_command_says(api, relay, command):
    (receipt, *_) = relay.accept_leads(1, 2, 3)
    delivery = ok(api.get("/admin/api/deliveries"))["items"][0]["id"]
    ok(api.post("/admin/api/sinks/books/pause", json={"why": "holiday"}))
    ok(api.post("/admin/api/subscriptions", json={"url": "https://app.example.com/x", "events": ["add_lead"]}))
    for path, arguments in {
        "events": "events list", "events?limit=2": "events list --limit 2", "deliveries": "deliveries list",
        "deliveries?state=pending&sink=books": "deliveries list --state pending --sink books", "held": "held list",
        "dead": "dead list", "sinks": "sinks list", "subscriptions": "subscriptions list", "audit": "audit",
        f"events/{receipt}": f"events show {receipt}", f"deliveries/{delivery}": f"deliveries show {delivery}",
        "sinks/books": "sinks show books", f"events/{receipt}/explanation": f"explain {receipt}",
        "sources": "sources list", "sources/acme": "sources show acme",
    }.items():  # fmt: skip
        printed, _ = command(*arguments.split(), "--json")
        answered, expected = _aged(ok(api.get(f"/admin/api/{path}"))), _aged(json.loads(printed))
        assert (answered["items"] if isinstance(expected, list) else answered) == expected, arguments


def test_stats_and_doctor_have_the_fields_of_the_commands(api, command):
    for path, arguments in {"stats?over=0.1": ("stats", "--over", "0.1")}.items():
        printed, _ = command(*arguments, "--json")
        assert ok(api.get(f"/admin/api/{path}")).keys() == json.loads(printed).keys()
    assert {one["about"] for one in ok(api.get("/admin/api/doctor"))["items"]} >= {"workers", "sink books"}
    assert ok(api.get("/admin/api/config"))["sinks"] == ["books"]


def test_a_list_goes_on_by_its_cursor(api, relay):
    relay.accept_leads(*range(5))
    seen, path = [], "/admin/api/events?limit=2"
    while True:
        page = ok(api.get(path))
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        path = f"/admin/api/events?limit=2&after={page['next']}"
    assert len(seen) == len(set(seen)) == 5


def test_acts_are_done_once_and_stand_in_the_audit(api, relay):
    relay.accept_leads(1)
    id = ok(api.get("/admin/api/deliveries"))["items"][0]["id"]
    body = {"ids": [id, "nobody"], "by": "cron", "why": "wrong price"}
    first, second = (ok(api.post("/admin/api/deliveries/cancel", json=body))["results"] for _ in range(2))
    assert [one["done"] for one in first] == [True, False]
    assert "no such delivery" in first[1]["message"]
    assert first[0]["id"] == id
    assert [one["done"] for one in second] == [False, False]
    assert ok(api.post("/admin/api/deliveries/resend", json={"ids": [id]}))["results"][0]["done"]
    entries = ok(api.get("/admin/api/audit"))["items"]
    assert [(one["act"], one["by"], one["why"]) for one in entries] == [
        ("resend", "operator", ""), ("cancel", "cron", "wrong price"),
    ]  # fmt: skip
    filtered = ok(api.get(f"/admin/api/audit?by=cron&act=cancel&what={id}&since=1h&limit=1"))
    assert [one["act"] for one in filtered["items"]] == ["cancel"]
    assert ok(api.get(f"/admin/api/audit?by=cron&before={filtered['next']}")) == {"items": [], "next": None}
    assert ok(api.get("/admin/api/audit?until=1h")) == {"items": [], "next": None}


def test_a_replay_is_planned_and_then_done(api, relay):
    relay.accept_leads(1, 2)
    ids = [one["id"] for one in ok(api.get("/admin/api/deliveries"))["items"]]
    ok(api.post("/admin/api/deliveries/cancel", json={"ids": ids}))
    events = sorted({one["event_id"] for one in ok(api.get("/admin/api/deliveries"))["items"]})
    request = {"ids": events, "force": True}
    planned = ok(api.post("/admin/api/replay", json={**request, "dry_run": True}))
    assert (planned["planned"]["deliveries"], planned["done"]) == ({"again": 2}, None)
    assert ok(api.post("/admin/api/replay", json=request))["done"]["deliveries"] == {"again": 2}
    assert "not both" in refused(api.post("/admin/api/replay", json={**request, "since": "1h"}), 400)


def test_a_replay_by_filters_is_an_action(api, relay):
    relay.accept_leads(1, 2)
    ids = [one["id"] for one in ok(api.get("/admin/api/deliveries"))["items"]]
    ok(api.post("/admin/api/deliveries/cancel", json={"ids": ids}))
    request = {"since": "1h", "force": True, "by": "cron", "why": "a new price"}
    preview = ok(api.post("/admin/api/replay", json={**request, "dry_run": True}))
    assert (preview["preview"]["results"], preview["started"]) == ({"again": 2}, None)
    started = ok(api.post("/admin/api/replay", json=request))["started"]
    assert started["started"]
    assert not ok(api.post("/admin/api/replay", json=request))["started"]["started"], "the same runs already"
    work_off(relay.run, relay.store, relay.config)
    action = ok(api.get(f"/admin/api/actions/{started['id']}"))["action"]
    assert (action["state"], action["results"], action["by"], action["why"]) == (
        "done", {"again": 2}, "cron", "a new price",
    )  # fmt: skip
    assert "say what to replay" in refused(api.post("/admin/api/replay", json={}), 400)
    assert "no nothing" in refused(api.post("/admin/api/replay", json={"route": "nothing", "since": "1h"}), 400)


def test_a_bulk_action_is_previewed_started_paused_and_aborted(api, relay):
    relay.accept_leads(1, 2, 3)
    request = {"kind": "cancel", "sink": "books", "why": "wrong prices", "by": "cron"}
    preview = ok(api.post("/admin/api/actions", json={**request, "dry_run": True}))["preview"]
    assert (preview["results"], len(preview["samples"])) == ({"done": 3}, 3)
    started = ok(api.post("/admin/api/actions", json=request))["started"]
    assert started["started"]
    assert not ok(api.post("/admin/api/actions", json=request))["started"]["started"], "the same runs already"
    shown = ok(api.get(f"/admin/api/actions/{started['id']}"))
    assert (shown["action"]["state"], shown["action"]["by"], shown["touched"]["items"]) == ("running", "cron", [])
    assert [one["id"] for one in ok(api.get("/admin/api/actions?state=running"))["items"]] == [started["id"]]
    for act, says in (("pause", "paused"), ("resume", "goes on"), ("abort", "aborted")):
        assert says in ok(api.post(f"/admin/api/actions/{started['id']}/{act}", json={}))["message"]
    assert "it is aborted" in refused(api.post(f"/admin/api/actions/{started['id']}/pause", json={}), 400)
    for wrong, says in (
        ({}, "kind"), ({"kind": "sell"}, "kind: "), ({"kind": "cancel"}, "say to what"),
        ({"kind": "move", "sink": "books"}, "to: "), ({"kind": "retry", "state": "lost"}, "state: "),
    ):  # fmt: skip
        assert says in refused(api.post("/admin/api/actions", json=wrong), 400)
    assert "no such action" in refused(api.get("/admin/api/actions/nobody"), 404)


def test_a_catch_up_is_begun_and_shown(open_pages):
    asked = ROUTED.replace("acme: {", "acme: {api: {token: an-api-token}, ")
    client = open_pages(config=asked, RELAY_ADMIN_TOKEN=ADMIN)
    client.headers.update(BEARER)
    request = {"kind": "catch-up", "source": "acme", "since": "1h", "by": "cron", "why": "it was disabled"}
    for wrong, says in (
        ({"dry_run": True}, "relay catch-up SOURCE"), ({"since": ""}, "takes source and since"),
        ({"sink": "books"}, "no other filter"), ({"source": "acne"}, "unknown source acne"),
        ({"since": "30d"}, "retention.finished"),
    ):  # fmt: skip
        assert says in refused(client.post("/admin/api/actions", json=request | wrong), 400)
    begun = ok(client.post("/admin/api/actions", json=request))["started"]
    shown = ok(client.get(f"/admin/api/actions/{begun['id']}"))["action"]
    assert (shown["kind"], shown["state"], shown["by"], shown["total"]) == ("catch-up", "running", "cron", 0)
    page = client.get(f"/admin/actions/{begun['id']}")
    assert page.status_code == 200
    assert ("Catch up" in page.text, "looked at 0 changes" in page.text, "it was disabled" in page.text) == (True,) * 3


def test_a_sink_is_paused_with_a_reason_and_resumed(api):
    assert "say why" in refused(api.post("/admin/api/sinks/books/pause", json={}), 400)
    assert (
        "paused until"
        in ok(api.post("/admin/api/sinks/books/pause", json={"why": "holiday", "until": "2h"}))["message"]
    )
    assert "already" in refused(api.post("/admin/api/sinks/books/pause", json={"why": "again"}), 400)
    assert ok(api.get("/admin/api/sinks/books"))["state"]["gate"]["paused"]
    assert "open" in ok(api.post("/admin/api/sinks/books/resume", json={}))["message"]
    assert "unknown sink boks, did you mean books?" in refused(api.get("/admin/api/sinks/boks"), 404)


def test_people_are_masked_until_somebody_asks_and_that_is_recorded(api, relay):
    (id,) = relay.accept(encode_form({"leads": {"add": [{"id": "1", "name": PERSON}]}}))
    path = f"/admin/api/events/{id}/explanation"
    assert PERSON not in api.get(path).text
    hook = {"body": f"leads[add][0][id]=1&leads[add][0][name]={PERSON}"}
    shown = api.post("/admin/api/explanation?reveal=true&why=she+called", json=hook)
    assert shown.status_code == 200
    entry = ok(api.get("/admin/api/audit"))["items"][0]
    assert (entry["act"], entry["what"], entry["by"], entry["why"]) == (
        "reveal",
        "explanation",
        "operator",
        "she called",
    )
    looking = {"Authorization": f"Bearer {READ}"}
    assert "may look" in refused(api.get(f"{path}?reveal=1", headers=looking), 403)
    assert api.get(path, headers=looking).status_code == 200
    assert len(ok(api.get("/admin/api/audit"))["items"]) == 1


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.acts], ids=lambda one: one.path)
def test_who_may_only_look_does_nothing(api, operation):
    path = "/admin/api" + operation.path.replace("{id}", "1").replace("{name}", "books")
    answer = api.request(operation.method, path, json={}, headers={"Authorization": f"Bearer {READ}"})
    assert "may look" in refused(answer, 403)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_strangers_are_told_nothing(api, operation):
    path = "/admin/api" + operation.path.replace("{id}", "1").replace("{name}", "books")
    del api.headers["Authorization"]
    assert "for operators only" in refused(api.request(operation.method, path), 401)


@pytest.mark.parametrize(("path", "status", "says"), [
    ("events?limit=0", 400, "limit: Expected `int` >= 1"), ("events?limit=many", 400, "limit: "),
    ("events?state=lost", 400, "state: Invalid enum value 'lost'"), ("events?stat=dead", 400, "did you mean state?"),
    ("events?entity=deal:1", 400, "entity: nothing is called 'deal'"), ("events?entity=lead", 400, "write lead:123"),
    ("events?since=yesterday", 400, "since: 'yesterday' is not a time"), ("events?after=here", 400, "after: 'here'"),
    ("audit?before=x", 400, "before: 'x' is no entry"), ("stats?over=1000", 400, "over: "),
    ("audit?since=x", 400, "since: 'x' is not a time"),
    ("events/no-such", 404, "no event no-such"), ("deliveries/no-such", 404, "no delivery no-such"),
    ("subscriptions/7", 404, "no subscription 7"), ("subscriptions/x", 404, "its id is a number"),
    ("nothing", 404, "lists the addresses"), ("events/x/explanation", 404, "no event or receipt x"),
    ("sources/nobody", 404, "no source nobody"),
])  # fmt: skip
def test_a_wrong_question_is_answered_with_what_would_be_right(api, path, status, says):
    assert says in refused(api.get(f"/admin/api/{path}"), status)


def test_wrong_bodies_are_refused(api):
    path = "/admin/api/deliveries/cancel"
    assert "the body is not JSON" in refused(
        api.post(path, content=b"{", headers={"Content-Type": "application/json"}), 400
    )
    assert "application/json" in refused(api.post(path, content=b"x", headers={"Content-Type": "text/plain"}), 415)
    assert "ids" in refused(api.post(path, json={}), 400)
    assert "ids" in refused(api.post(path, json={"ids": []}), 400)
    too_large = {"content": b" " * (5 * 1024 * 1024), "headers": {"Content-Type": "application/json"}}
    assert "bytes" in refused(api.post(path, **too_large), 413)
    assert "GET" in refused(api.post("/admin/api/deliveries"), 405)


def test_the_description_is_served_and_complete(api):
    served = ok(api.get("/admin/api/openapi.json"))
    assert served == json.loads(json.dumps(description()))
    addresses = {
        (method.upper(), path.removeprefix("/admin/api")) for path, of in served["paths"].items() for method in of
    }
    assert addresses == {(one.method, one.path) for one in OPERATIONS}
