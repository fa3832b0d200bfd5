"""What accounts, sinks and users of the API are asked and given, by API and page as by `relay connect` and the like."""

import json
import re
from pathlib import Path

import pytest

from relay.accounts.tokens import REFRESH_MS, TokenPair, TokenStore
from relay.encryption import Encrypter
from relay.sandbox.amocrm.access import LONG_LIVED
from relay.secret import SecretStr
from relay.store.shared_state import SharedState
from tests.integration.admin.conftest import ADMIN, CONFIG
from tests.integration.admin.small_pages import open_here, plain, send_form

HOOK = "https://relay.example.com/hooks/acme/acme-hook-token"
KEY = "0123456789abcdef0123456789abcdef"
ROUTES = """routes:
  - {name: all, on: [add_lead], to: [books]}
  - {name: shipped, on: [add_lead], where: {status_id: 20030002}, to: [books]}"""
AT = {"url": "https://relay.example.com"}


@pytest.fixture
def configured(relay, served):
    """Return the configuration of a source whose account can be asked, with a route and an API user."""
    served.amocrm.limits.rate = 1000
    api = f"api: {{url: '{served.url}', token: {LONG_LIVED}}}"
    config = CONFIG.replace("account: {subdomain: acme}", f"account: {{subdomain: acme}}, {api}")
    config = config.replace("routes: []", ROUTES)
    config += "api_users:\n"
    user = "login: crm@example.com, hash: a-hash-of-an-api-user, token: a-token-of-an-api-user-of-thirty-two"
    config += f"  - {{{user}, source: acme}}\n"
    relay.configure(config)
    return config


@pytest.fixture
def api(open_pages, configured):
    client = open_pages(config=configured, RELAY_ADMIN_TOKEN=ADMIN)
    client.headers["Authorization"] = f"Bearer {ADMIN}"
    return client


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


def audit(api) -> list[tuple[str, str, str, str, str]]:
    entries = ok(api.get("/admin/api/audit"))["items"]
    return [(one["act"], one["what"], one["before"], one["by"], one["why"]) for one in entries]


def test_the_hook_is_registered_as_by_the_command(api, served, command):
    dry = ok(api.post("/admin/api/sources/acme/connect", json={**AT, "dry_run": True}))
    assert (dry["change"]["new"], dry["change"]["added"], served.amocrm.account.hooks) == (True, ["add_lead"], {})
    assert audit(api) == []
    done = ok(api.post("/admin/api/sources/acme/connect", json={**AT, "by": "cron", "why": "a new relay"}))
    assert done == dry
    assert served.amocrm.account.hooks[HOOK].settings == ["add_lead"]
    printed, _ = command("connect", "acme", "--url", AT["url"], "--json")
    assert json.loads(printed)["change"]["added"] == []
    assert audit(api) == [("connect", "source acme", "no hook", "cron", "a new relay")], "what changes nothing is none"
    served.amocrm.account.hooks[HOOK].disabled = True
    assert ok(api.post("/admin/api/sources/acme/connect", json=AT))["disabled"]
    assert not ok(api.post("/admin/api/sources/acme/connect", json={**AT, "enable": True}))["disabled"]
    assert audit(api)[0][:3] == ("connect", "source acme", "disabled")
    assert "acme-hook-token" not in api.post("/admin/api/sources/acme/connect", json=AT).text


@pytest.mark.parametrize(("name", "body", "status", "says"), [
    ("acne", AT, 404, "unknown source acne, did you mean acme?"), ("acme", {}, 400, "url"),
    ("acme", {"url": "relay.example.com"}, 400, "the relay's address in full"),
    ("acme", {"url": "https://[::1/"}, 400, "the relay's address in full"),
])  # fmt: skip
def test_a_hook_that_cannot_be_registered_is_refused(api, name, body, status, says):
    assert says in refused(api.post(f"/admin/api/sources/{name}/connect", json=body), status)


def test_an_account_that_cannot_be_asked_is_no_mistake_of_the_request(open_pages, configured, served):
    away = open_pages(config=configured.replace(served.url, "http://127.0.0.1:9"), RELAY_ADMIN_TOKEN=ADMIN)
    away.headers["Authorization"] = f"Bearer {ADMIN}"
    for path, body in (("connect", AT), ("names", {})):
        assert "try again" in refused(away.post(f"/admin/api/sources/acme/{path}", json=body), 502)


def test_names_are_checked_and_then_written_beside_the_configuration(api, served):
    file = Path("names/acme.yaml")
    dry = ok(api.post("/admin/api/sources/acme/names", json={"dry_run": True}))
    assert (dry["changed"], dry["pipelines"], file.exists()) == (True, 2, False)
    assert ok(api.post("/admin/api/sources/acme/names", json={"why": "a new status"})) == dry
    assert file.is_file()
    assert audit(api) == [("names", "source acme", "", "operator", "a new status")]
    again = ok(api.post("/admin/api/sources/acme/names", json={}))
    assert (again["changed"], again["changes"]) == (False, [])
    file.write_text(file.read_text().replace("Успешно реализовано", "Продано", 1))
    renamed = ok(api.post("/admin/api/sources/acme/names", json={}))["changes"]
    assert [line.partition(": ")[2] for line in renamed] == ["Продано is now Успешно реализовано"]
    assert audit(api)[0][:3] == ("names", "source acme", "older names")


def test_names_that_cannot_be_written_say_where_to_write_them(api):
    Path("names").write_text("a file, where the folder of names is to be")
    reason = refused(api.post("/admin/api/sources/acme/names", json={}), 400)
    assert "names/acme.yaml cannot be written" in reason
    assert "`relay names acme`" in reason
    assert audit(api) == []


def test_a_sink_is_probed(api):
    assert ok(api.post("/admin/api/sinks/books/probe", json={})) == {
        "sink": "books", "type": "log", "ok": None, "said": "it has no free call",
    }  # fmt: skip
    assert "not in the configuration" in refused(api.post("/admin/api/sinks/nobody/probe", json={}), 404)


def test_a_token_is_minted_for_who_asks_and_that_is_recorded(api):
    body = {"login": "crm@example.com", "expires_in": "90d", "by": "cron", "why": "their PHP client"}
    minted = ok(api.post("/admin/api/tokens", json=body))
    assert minted["token"].count(".") == 2
    assert (minted["login"], minted["source"]) == ("crm@example.com", "acme")
    entry = api.get("/admin/api/webhooks", headers={"Authorization": f"Bearer {minted['token']}"})
    assert entry.status_code == 401, "it is a user's, and no operator's"
    used = api.get("/api/v4/webhooks", headers={"Authorization": f"Bearer {minted['token']}"})
    assert used.status_code in (200, 204), used.text
    assert audit(api)[0][0] == "mint token"
    assert audit(api)[0][3:] == ("cron", "their PHP client")


@pytest.mark.parametrize(("body", "says"), [
    ({"login": "crn@example.com"}, "did you mean"),
    ({"login": "crm@example.com", "expires_in": "2000d"}, "possible is 1d to 1826d"),
    ({"login": "crm@example.com", "expires_in": "soon"}, "is not a duration"),
])  # fmt: skip
def test_a_token_that_cannot_be_minted_is_refused(api, body, says):
    assert says in refused(api.post("/admin/api/tokens", json=body), 400)


@pytest.fixture
def pages(open_pages, configured):
    return open_here(open_pages, configured)


SOURCE = "/admin/sources/acme"


def test_a_source_says_when_its_oauth_tokens_end(open_pages, relay, run, store, configured, command, monkeypatch):
    oauth = (
        "oauth: {client_id: an-id, client_secret: a-secret, redirect_uri: 'https://x.example', refresh_token: first}"
    )
    config = configured.replace(f"token: {LONG_LIVED}", oauth)
    relay.configure(config)
    monkeypatch.setenv("RELAY_SECRET_KEY", KEY)
    pages = open_here(open_pages, config, RELAY_SECRET_KEY=KEY)
    assert "OAuth, renewed by itself · not renewed yet" in plain(pages.get(SOURCE))
    assert ok(pages.get("/admin/api/sources/acme"))["refresh_ends_at"] is None
    shared, now = SharedState(store.client, store.namespace), store.clock.ms()
    tokens = TokenStore("acme", SecretStr("first"), shared, Encrypter(SecretStr(KEY)))
    run(tokens.save(TokenPair(access="an-access-token", refresh="the-second", expires_at=now + 86_400_000)))
    found = ok(pages.get("/admin/api/sources/acme"))
    assert found["access_ends_at"] == now + 86_400_000
    ends_at = now + REFRESH_MS  # three months from when it was stored, but for what a clock's reading is off
    assert ends_at - 1_000 <= found["refresh_ends_at"] <= ends_at + 60_000
    assert "refresh token ends" in plain(pages.get(SOURCE))
    assert "it must be authorised again" in command("sources", "show", "acme")[0]
    for shown in (pages.get(SOURCE).text, pages.get("/admin/api/sources/acme").text):
        assert ("an-access-token" in shown, "the-second" in shown) == (False, False)
    other = open_here(open_pages, config, RELAY_SECRET_KEY=KEY[::-1])
    assert ok(other.get("/admin/api/sources/acme"))["refresh_ends_at"] is None, "of another key nothing is known"


def test_the_page_shows_what_registering_would_change_and_then_does_it(pages, served):
    page = pages.get(SOURCE)
    assert 'value="http://localhost:8000"' in page.text, "the address by which the page was opened"
    form = [("url", AT["url"]), ("why", "a new relay")]
    shown = plain(send_form(pages, page, f"{SOURCE}/connect", [*form, ("act", "see")]))
    assert "it would be made" in shown
    assert "would be added: add_lead" in shown
    assert served.amocrm.account.hooks == {}
    assert "registered for 1 event" in plain(send_form(pages, page, f"{SOURCE}/connect", [*form, ("act", "do")]))
    assert HOOK in served.amocrm.account.hooks
    served.amocrm.account.hooks[HOOK].disabled = True
    assert "amoCRM has disabled it" in plain(send_form(pages, page, f"{SOURCE}/connect", [*form, ("act", "do")]))
    enabled = send_form(pages, page, f"{SOURCE}/connect", [*form, ("enable", "1"), ("act", "do")])
    assert "registered for 1 event" in plain(enabled)
    assert "in full" in plain(send_form(pages, page, f"{SOURCE}/connect", [("url", "relay"), ("act", "do")]))
    assert audit(pages)[-1] == ("connect", "source acme", "no hook", "operator", "a new relay")


def test_what_has_drifted_is_told_by_the_api_the_page_and_in_russian(pages, served):
    pages.post("/admin/api/sources/acme/names", json={})
    assert ok(pages.post("/admin/api/sources/acme/names/check", json={}))["drifts"] == []
    served.amocrm.account.set_up({"pipelines": {"3340": {"statuses": {"20030002": None}}}})
    [drift] = ok(pages.post("/admin/api/sources/acme/names/check", json={}))["drifts"]
    assert (drift["problem"], drift["found"]) == ("drift:acme/status/20030002", "status 20030002 Отгрузка is gone")
    assert drift["used"][0]["by"] == "route shipped"
    page = pages.get(SOURCE)
    shown = plain(send_form(pages, page, f"{SOURCE}/names", [("act", "check")]))
    assert "status 20030002 Отгрузка is gone: the routes whose condition needs it can never match" in shown
    pages.headers["Accept-Language"] = "ru"
    shown = plain(send_form(pages, page, f"{SOURCE}/names", [("act", "check")]))
    assert "статуса 20030002 Отгрузка больше нет" in shown
    assert audit(pages)[0][0] == "names", "a check changes nothing, so that the audit has nothing of it"


def test_the_page_writes_the_file_of_names_after_showing_what_has_changed(pages):
    page = pages.get(SOURCE)
    shown = plain(send_form(pages, page, f"{SOURCE}/names", [("act", "see")]))
    assert "2 pipelines, 3 users, 7 custom fields" in shown
    assert not Path("names/acme.yaml").exists()
    assert "is written" in plain(send_form(pages, page, f"{SOURCE}/names", [("act", "do"), ("why", "new")]))
    file = Path("names/acme.yaml")
    file.write_text(file.read_text().replace("Успешно реализовано", "Продано", 1))
    assert "Продано is now Успешно реализовано" in plain(send_form(pages, page, f"{SOURCE}/names", [("act", "see")]))
    assert "is written" in plain(send_form(pages, page, f"{SOURCE}/names", [("act", "do"), ("why", "newer")]))
    assert "No name has changed" in plain(send_form(pages, page, f"{SOURCE}/names", [("act", "do")]))


def test_the_page_begins_a_catch_up_and_lists_those_that_were_begun(pages):
    page = pages.get(SOURCE)
    assert "Say why" in plain(send_form(pages, page, f"{SOURCE}/catch-up", [("since", "1h"), ("why", "")]))
    assert "is not a time" in plain(send_form(pages, page, f"{SOURCE}/catch-up", [("since", "x"), ("why", "y")]))
    begun = send_form(pages, page, f"{SOURCE}/catch-up", [("since", "1h"), ("why", "it was disabled")])
    assert begun.url.path.startswith("/admin/actions/")
    listed = "/admin/actions?kind=catch-up&source=acme"
    assert listed.replace("&", "&amp;") in page.text
    assert "it was disabled" in plain(pages.get(listed))
    assert "it was disabled" not in plain(pages.get("/admin/actions?kind=resend"))
    assert "Nothing matches" in plain(pages.get("/admin/actions?state=done"))
    found = ok(pages.get("/admin/api/actions?kind=catch-up&source=acme&state=running"))["items"]
    assert [one["why"] for one in found] == ["it was disabled"]
    assert ok(pages.get("/admin/api/actions?source=other"))["items"] == []


def test_acts_on_a_source_that_there_is_not_get_a_clear_page(pages):
    page = pages.get(SOURCE)
    for act in ("connect", "names", "catch-up"):
        answer = send_form(pages, page, f"/admin/sources/nobody/{act}", [("url", "x")])
        assert (answer.status_code, "no such source" in plain(answer)) == (404, True)


def test_the_page_mints_a_token_and_shows_it_once(pages):
    page = pages.get("/admin/subscriptions")
    form = [("login", "crm@example.com"), ("expires_in", "90d"), ("why", "their PHP client")]
    minted = send_form(pages, page, "/admin/subscriptions/token", form)
    (token,) = re.findall(r'class="token">([\w.-]+)<', minted.text)
    assert token.count(".") == 2
    assert token not in pages.get("/admin/subscriptions").text
    assert audit(pages)[0] == ("mint token", "API user c***@example.com", "", "operator", "their PHP client")
    wrong = send_form(pages, page, "/admin/subscriptions/token", [("login", "nobody"), ("expires_in", "1d")])
    assert "no login nobody" in plain(wrong)


def test_who_may_only_look_finds_none_of_these_forms(open_pages, configured):
    looking = open_pages(config=configured, RELAY_ADMIN_TOKEN=ADMIN, RELAY_ADMIN_READ_TOKEN="a-token-to-look-only")
    looking.headers["Authorization"] = "Bearer a-token-to-look-only"
    for path in (SOURCE, "/admin/subscriptions"):
        assert '<form class="acts"' not in looking.get(path).text
    for path in (f"{SOURCE}/connect", f"{SOURCE}/names", f"{SOURCE}/catch-up", "/admin/subscriptions/token"):
        assert looking.post(path).status_code == 403


def test_catching_up_is_begun_among_the_other_actions(open_pages, configured):
    pages = open_here(open_pages, configured)
    new = pages.get("/admin/actions/new")
    assert '<option value="catch-up">' in new.text
    link = "/admin/actions/new?kind=catch-up&source=acme&since=2h"
    for wrong in ("kind=catch-up&source=acme", "kind=catch-up&since=2h", f"{link.partition('?')[2]}&sink=books"):
        assert "takes a source and since when" in plain(pages.get(f"/admin/actions/new?{wrong}"))
    page = pages.get(link)
    assert "The workers ask the account what it remembers." in plain(page)
    form = [("kind", "catch-up"), ("source", "acme"), ("since", "2h"), ("back", link)]
    assert "Say why" in plain(send_form(pages, page, "/admin/actions/start", form))
    begun = send_form(pages, pages.get(link), "/admin/actions/start", [*form, ("why", "the hook was off")])
    assert "Catch up" in plain(begun)
    (action,) = ok(pages.get("/admin/api/actions"))["items"]
    assert (action["kind"], action["request"]["filter"]["source"], action["why"]) == (
        "catch-up",
        "acme",
        "the hook was off",
    )
    again = send_form(pages, pages.get(link), "/admin/actions/start", [*form, ("why", "twice")])
    assert len(ok(pages.get("/admin/api/actions"))["items"]) == 1, plain(again)


def test_no_catching_up_is_offered_where_no_account_can_be_asked(open_pages):
    pages = open_here(open_pages, CONFIG)
    assert "catch-up" not in pages.get("/admin/actions/new").text
    page = plain(pages.get("/admin/actions/new?kind=catch-up&source=acme&since=2h"))
    assert "The workers ask the account" not in page
