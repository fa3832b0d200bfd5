"""Subscriptions, Sources, System and Audit: what they show, and what their forms do."""

import base64
import html
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from relay import __version__
from relay.store.record_memory import RecordMemorySampler
from relay.store.shared_state import SharedState
from relay.web.admin.event_groups import event_groups
from tests.integration.admin.conftest import CONFIG, HERE, Client

OURS = {"Sec-Fetch-Site": "same-origin"}
LOCAL = CONFIG + "subscribers: {allow: [127.0.0.1]}\n"


@pytest.fixture
def here(open_pages, relay) -> Client:
    relay.configure(LOCAL)
    return open_pages(peer=HERE, url="http://localhost:8000", config=LOCAL)


@pytest.fixture
def application():
    """An application that takes what has the path /ok, and keeps it."""
    taken: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.headers["X-Amocrm-Requestid"], body))
            self.send_response(200 if self.path == "/ok" else 500)
            self.end_headers()
            self.wfile.write(b"thank you, anna@example.com")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", taken
    server.shutdown()
    thread.join()
    server.server_close()


def seen(client: Client, path: str, status: int = 200, **more) -> str:
    answer = client.get(path, **more)
    assert answer.status_code == status, answer.text
    return html.unescape(answer.text)


def press(client: Client, path: str, fields: dict):
    token = re.search(r'name="form_token" value="(\w+)"', client.get("/admin/subscriptions/new").text)
    assert token
    return client.post(path, data={"form_token": token[1], **fields}, headers=OURS)


def subscribe(client: Client, url: str, *events: str, **fields: str) -> str:
    saved = press(client, "/admin/subscriptions/save", {"source": "acme", "url": url, "event": list(events), **fields})
    assert saved.status_code == 303, saved.text
    return saved.headers["location"]


def test_a_subscription_is_added_tested_changed_and_removed(here, application, command):
    address, taken = application
    assert "No application is subscribed yet" in seen(here, "/admin/subscriptions")
    page = subscribe(here, f"{address}/ok", "add_lead", "note_contact", name="Books")
    shown = seen(here, page)
    assert re.findall(r'value="(\w+)" checked', shown) == ["add_lead", "note_contact"]
    answer = press(here, f"{page}/test", {"event": "add_lead"})
    assert (answer.status_code, "200 OK" in answer.text, "anna@example" in answer.text) == (200, True, False)
    (request_id, body), *_ = taken
    assert request_id
    assert b"leads[add][0][id]=1" in body or b"leads%5Badd%5D%5B0%5D%5Bid%5D=1" in body
    moved = subscribe(here, f"{address}/gone", "add_lead", id=page.rpartition("/")[2])
    assert "There is no such subscription" in seen(here, page, 404)
    failed = press(here, f"{moved}/test", {})
    assert "500 Internal Server Error" in failed.text
    assert "Nothing was counted" in failed.text
    assert press(here, f"{moved}/switch", {"act": "disable", "why": "they move"}).status_code == 303
    assert "by operator: they move" in seen(here, moved)
    assert press(here, f"{moved}/switch", {"act": "enable"}).status_code == 303
    assert press(here, f"{moved}/switch", {"act": "remove"}).headers["location"] == "/admin/subscriptions"
    assert "No application is subscribed yet" in seen(here, "/admin/subscriptions")
    printed, _ = command("audit")
    acts = re.findall(r"(subscribe|unsubscribe|test|enable|disable) +subscription \d", printed)
    assert acts == ["unsubscribe", "enable", "disable", "test", "unsubscribe", "subscribe", "test", "subscribe"]


@pytest.mark.parametrize(("fields", "says"), [
    ({"url": "http://10.0.0.1/", "event": ["add_lead"]}, "10.0.0.1 is private"),
    ({"url": "nonsense", "event": ["add_lead"]}, "url: "),
    ({"url": "https://app.example.com/", "event": ["ad_lead"]}, "did you mean add_lead?"),
    ({"url": "https://app.example.com/"}, "at least one is needed"),
    ({"url": "https://app.example.com/", "event": ["add_lead"], "source": "nobody"}, "unknown source nobody"),
])  # fmt: skip
def test_a_wrong_form_says_what_is_wrong_and_keeps_what_was_written(here, fields, says):
    answer = press(here, "/admin/subscriptions/save", {"source": "acme", "name": "Books", **fields})
    assert answer.status_code == 400
    assert says in html.unescape(answer.text)
    assert 'value="Books"' in answer.text
    assert f'value="{fields["url"]}"' in answer.text


def test_stale_pages_do_nothing(here):
    gone = {"id": "7", "url": "https://x.example/", "event": "add_lead"}
    for path, fields in (("save", gone), ("7/test", {}), ("7/switch", {"act": "remove"})):
        assert press(here, f"/admin/subscriptions/{path}", fields).status_code == 404, path
    assert (
        "There is no such"
        in press(here, subscribe(here, "https://x.example/", "add_lead") + "/switch", {"act": "sell"}).text
    )


def test_the_form_has_every_event_that_can_be_subscribed_to(here):
    names = [choice.name for group in event_groups() for choice in group.choices]
    assert re.findall(r'type="checkbox" name="event" value="(\w+)"', seen(here, "/admin/subscriptions/new")) == names
    assert len(names) == len(set(names)) == 33


def test_sources_say_what_their_hook_lacks(here, relay):
    relay.accept_leads(1)
    shown = seen(here, "/admin/sources")
    assert "the relay cannot ask this account" in shown
    assert "hook not known" in shown
    assert seen(here, "/admin/sources/acme").count("<article") == 1
    assert "no source nobody" in seen(here, "/admin/sources/nobody", 404)


def test_a_source_says_when_its_token_ends_and_what_was_caught_up(open_pages, relay, run, store, command):
    claims = base64.urlsafe_b64encode(b'{"exp": 1924948800, "aud": "x"}').decode().rstrip("=")
    api = f"api: {{token: head.{claims}.tail}}"
    config = LOCAL.replace("account: {subdomain: acme}", "account: {subdomain: acme}, " + api)
    relay.configure(config)
    here = open_pages(peer=HERE, url="http://localhost:8000", config=config)
    progress = {"since": 1_795_000_000_000, "until": 1_795_003_600_000, "page": 2, "recovered": 3, "told": 5, "gone": 1}
    run(SharedState(store.client, store.namespace).put("catch-up:acme", json.dumps(progress).encode(), 60_000))
    shown = seen(here, "/admin/sources/acme")
    for said in ("long-lived", "ends", "2030-12-31", "recovered: 3", "gone: 1", "not at its end"):
        assert said in shown, said
    assert claims not in shown
    found = here.get("/admin/api/sources/acme").json()
    assert (found["token_ends_at"], found["caught_up"]["recovered"]) == (1_924_948_800_000, 3)
    printed, _ = command("sources", "show", "acme")
    assert "3 recovered, 1 gone; it is not at its end" in printed
    assert "until 2030-12-31" in printed or "until 2031-01-01" in printed


def test_the_system_says_when_the_store_is_full_and_what_its_memory_is_for(here, run, store):
    before = run(store.client.config_get("maxmemory"))["maxmemory"]
    run(store.client.config_set("maxmemory", 1 << 30))
    try:
        shown = seen(here, "/admin/system")
        russian = seen(here, "/admin/system", headers={"Accept-Language": "ru"})
    finally:
        run(store.client.config_set("maxmemory", before))
    assert "no forecast yet: it takes 6 hours of samples" in shown
    assert "прогноза ещё нет" in russian
    assert "data: " in shown
    assert "данные: " in russian


def test_the_system_says_which_version_each_worker_is_and_what_records_take(here, relay, run, store, command):
    assert "What the records take" not in seen(here, "/admin/system"), "nobody has measured it"
    relay.accept_leads(1, 2, 3)
    run(store.look("w1"))
    run(store.client.zadd(store.keys.workers, {"w0": run(store.client.zscore(store.keys.workers, "w1"))}))
    run(RecordMemorySampler(store.client, store.namespace).sample())
    shown, russian = (seen(here, "/admin/system", headers={"Accept-Language": one}) for one in ("en", "ru"))
    assert re.search(rf"w0</dt><dd><span [^>]*>version not known<.*w1</dt><dd><span [^>]*>{__version__}<", shown, re.S)
    assert 'bodies of hooks</td><td class="number">3<' in shown
    assert "Estimated from 3 hooks" in shown
    assert ("тела хуков" in russian, "версия не известна" in russian) == (True, True)
    answered = here.get("/admin/api/system").json()
    assert [(one["name"], one["version"]) for one in answered["workers"]] == [("w0", None), ("w1", __version__)]
    assert {one["kind"]: one["count"] for one in answered["store"]["records"]["kinds"]}["hooks"] == 3
    printed, _ = command("system", "--json")
    assert json.loads(printed).keys() == answered.keys()
    printed, _ = command("system")
    for said in ("w0 not known", f"w1 {__version__}", "bodies of hooks 3", f"relay {__version__}", "memory: "):
        assert said in " ".join(printed.split()), said


def test_the_system_says_how_it_stands(here):
    shown = seen(here, "/admin/system")
    for said in ("fsync", "workers alive", "no worker", "1 source"):
        assert said in shown, said


def test_the_audit_is_filtered_and_goes_on(here, run, store):
    from relay.store.acts import Author

    assert "Nobody has done anything yet" in seen(here, "/admin/audit")
    for n in range(60):
        run(
            store.acts.note(
                "reveal" if n % 2 else "resend", f"delivery d{n}", Author(by="anna", why="asked by +79161234567")
            )
        )
    first = seen(here, "/admin/audit")
    assert "+79161234567" not in first
    assert first.count("<tr data-row") == 50
    older = re.search(r'href="(/admin/audit\?before=[^"]+)"', first)
    assert older
    assert seen(here, older[1]).count("<tr data-row") == 10
    filtered = seen(here, "/admin/audit?act=reveal&by=anna&what=d1")
    assert filtered.count("<tr data-row") == 6
    assert "60 entries looked at" in filtered
    assert "Nobody did anything that matches" in seen(here, "/admin/audit?by=nobody")
    assert "these are the newest" in seen(here, "/admin/audit?before=x")
    assert seen(here, "/admin/audit?since=1h&act=reveal").count("<tr data-row") == 30
    assert "Nobody did anything that matches" in seen(here, "/admin/audit?until=1h")
    assert "since: " in here.get("/admin/audit?since=soon").text


@pytest.mark.parametrize("path", ["subscriptions", "subscriptions/new", "sources", "system", "audit"])
def test_each_page_is_in_russian_too(here, path):
    shown = seen(here, f"/admin/{path}", headers={"Accept-Language": "ru"})
    assert '<html lang="ru"' in shown
    heading = re.search(r"<h1>(?:<a[^>]*>)?([^<]+)", shown)
    assert heading
    assert re.match("[А-Я]", heading[1])
