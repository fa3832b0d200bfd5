"""Operators sign in with a token; strangers, forged forms and guesses get nowhere."""

import asyncio
import re

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from relay.store.access import WRONG_PER_LOGIN, WRONG_PER_PEER
from relay.web.admin import changes
from relay.web.admin.pulse import Pulse
from relay.web.admin.rights import acting, author, form_token, may_act, may_read
from relay.web.admin.sign_in import SIGN_IN_PATH, SIGN_OUT_PATH
from tests.integration.admin.conftest import ADMIN, HERE, READ, Client

OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a page, and an address of the API, that say who asks; and what acts."""
    from starlette.routing import Route

    from relay.web.admin import sign_in

    async def show(request: Request) -> PlainTextResponse:
        assert may_read(request)
        return PlainTextResponse(
            f"{author(request).by} {'acts' if may_act(request) else 'looks'} {form_token(request)}"
        )

    async def act(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"done by {author(request).by}")

    own = sign_in.SignIn.routes

    def routes(self: sign_in.SignIn) -> list:
        more = [Route("/admin/test", show), Route("/admin/test", acting(act), methods=["POST"])]
        more += [Route("/admin/api/test", show), Route("/admin/api/test", acting(act), methods=["POST"])]
        return [*own(self), *more]

    monkeypatch.setattr(sign_in.SignIn, "routes", routes)


def form(client: Client, path: str = SIGN_IN_PATH) -> str:
    """Return the token of the form on the sign-in page."""
    found = re.search(r'name="form_token" value="(\w+)"', client.get(path).text)
    assert found
    return found[1]


def sign_in(client: Client, token: str, **fields: str):
    data = {"form_token": form(client), "token": token, **fields}
    return client.post(SIGN_IN_PATH, data=data, headers=OURS)


def page_token(client: Client) -> str:
    return client.get("/admin/test").text.split()[-1]


def test_what_a_page_hears_ends_with_its_session(pages, run, monkeypatch):
    """The stream of changes is open for hours: one who signed out, in whatever window, hears nothing more."""
    opened = asyncio.Event()
    viewed = Pulse.viewed
    monkeypatch.setattr(Pulse, "viewed", lambda self: (opened.set(), viewed(self))[1])
    monkeypatch.setattr(changes, "CHECK_SECONDS", 0)
    sign_in(pages, ADMIN)
    token = page_token(pages)

    async def sign_out_meanwhile():
        async with asyncio.timeout(60):
            stream = asyncio.create_task(pages.browser.get("/admin/changes"))
            await opened.wait()
            await pages.browser.post(SIGN_OUT_PATH, data={"form_token": token}, headers=OURS)
            return await stream

    heard = run(sign_out_meanwhile())
    assert (heard.status_code, heard.text.splitlines()[-3:-1]) == (200, ["event: ended", "data: session"])


def test_a_stranger_is_led_to_a_form_that_tells_nothing(pages):
    answer = pages.get("/admin/test?state=dead")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"{SIGN_IN_PATH}?next=%2Fadmin%2Ftest%3Fstate%3Ddead",
    )
    for path in ("/admin/events/no-such-event", "/admin/nothing-here"):
        assert pages.get(path).status_code == 303, "whether something exists is not told"
    shown = pages.get(answer.headers["location"])
    assert shown.status_code == 200
    assert "acme" not in shown.text
    assert "amo" not in shown.text.lower()
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert "unsafe-inline" not in shown.headers["content-security-policy"]
    assert shown.headers["cache-control"] == "no-store"
    asked = pages.get("/admin/api/test")
    assert (asked.status_code, asked.headers["www-authenticate"]) == (401, 'Bearer realm="relay"')
    assert asked.json() == {"error": "for operators only: send Authorization: Bearer $RELAY_ADMIN_TOKEN"}


def test_signing_in_leads_back_and_names_who_acts(pages):
    answer = sign_in(pages, ADMIN, name=" Анна\u202e ", next="/admin/test?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/test?x=1")
    assert pages.get("/admin/test").text.startswith("Анна acts ")
    done = pages.post("/admin/test", data={"form_token": page_token(pages)}, headers=OURS)
    assert (done.status_code, done.text) == (200, "done by Анна")


def test_the_cookie_is_for_this_site_and_no_script(pages):
    cookie = sign_in(pages, ADMIN).headers["set-cookie"].lower()
    assert "relay_session=" in cookie
    assert {"httponly", "samesite=strict", "path=/admin", "max-age=43200"} <= set(cookie.split(", ")[0].split("; "))
    assert "secure" not in cookie


@pytest.mark.parametrize(
    ("peer", "proxies", "secure"), [("10.0.0.1", "10.0.0.1", True), ("10.0.0.2", "10.0.0.1", False)]
)
def test_the_cookie_is_secure_where_a_trusted_proxy_says_tls(open_pages, peer, proxies, secure):
    client = open_pages(peer=peer, proxies=proxies, RELAY_ADMIN_TOKEN=ADMIN)
    client.headers["X-Forwarded-Proto"] = "https"
    shown = client.get(SIGN_IN_PATH)
    assert ("secure" in shown.headers["set-cookie"].lower()) is secure
    token = re.search(r'name="form_token" value="(\w+)"', shown.text)[1]
    cookie = {"relay_form": re.search("relay_form=([^;]+)", shown.headers["set-cookie"])[1]}
    client.cookies.clear()
    client.cookies.update(cookie)
    answer = client.post(SIGN_IN_PATH, data={"form_token": token, "token": ADMIN}, headers=OURS)
    assert ("secure" in answer.headers["set-cookie"].lower()) is secure


@pytest.mark.parametrize("wanted", [
    "https://evil.example/", "//evil.example", "/admin//evil.example\\", "/administrator", "javascript:alert(1)",
    "/admin/\r\nSet-Cookie: x=1", "", "/hooks/acme/x",
])  # fmt: skip
def test_no_form_leads_to_another_site(pages, wanted):
    assert sign_in(pages, ADMIN, next=wanted).headers["location"] == "/admin"


@pytest.mark.parametrize("token", ["", "wrong", ADMIN + "x", ADMIN[:-1], "\ud83d".encode("utf-8", "replace").decode()])
def test_a_wrong_token_is_refused(pages, token):
    answer = sign_in(pages, token)
    assert answer.status_code == 403
    assert "this is no token of this relay" in answer.text
    assert "relay_session" not in answer.headers.get("set-cookie", "")
    assert pages.get("/admin/test").status_code == 303


def test_guesses_are_limited_per_peer_and_then_the_right_one_waits_too(open_pages):
    client = open_pages(proxies="*", RELAY_ADMIN_TOKEN=ADMIN)
    token = form(client)

    def guess(given: str, peer: str):
        fields = {"form_token": token, "token": given}
        return client.post(SIGN_IN_PATH, data=fields, headers={**OURS, "X-Forwarded-For": peer})

    for _ in range(WRONG_PER_LOGIN):
        assert guess("guess", "198.51.100.1").status_code == 403
    locked = guess(ADMIN, "198.51.100.1")
    assert locked.status_code == 429
    assert 0 < int(locked.headers["retry-after"]) <= 15 * 60
    assert "too many wrong tokens" in locked.text
    assert guess(ADMIN, "198.51.100.2").status_code == 303, "nobody locks anybody else out"


def test_programs_that_guess_are_limited_and_those_that_know_are_not(pages):
    for _ in range(WRONG_PER_PEER):
        assert pages.get("/admin/api/test", headers={"Authorization": "Bearer guess"}).status_code == 401
    refused = pages.get("/admin/api/test", headers={"Authorization": "Bearer guess"})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert "too many wrong tokens" in refused.json()["error"]
    assert pages.get("/admin/api/test", headers={"Authorization": f"Bearer {ADMIN}"}).status_code == 200


def test_a_program_acts_with_a_bearer_and_without_a_form(pages):
    answer = pages.post("/admin/api/test", headers={"Authorization": f"Bearer {ADMIN}"})
    assert (answer.status_code, answer.text) == (200, "done by operator")


def test_who_may_only_look_acts_neither_by_form_nor_as_a_program(pages):
    assert sign_in(pages, READ).status_code == 303
    assert pages.get("/admin/test").text.startswith("operator looks ")
    refused = pages.post("/admin/test", data={"form_token": page_token(pages)}, headers=OURS)
    assert refused.status_code == 403
    assert "sign in with RELAY_ADMIN_TOKEN" in refused.text
    refused = pages.post("/admin/api/test", json={}, headers={"Authorization": f"Bearer {READ}"})
    assert (refused.status_code, "may look" in refused.json()["error"]) == (403, True)


@pytest.mark.parametrize("headers", [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://relay.example.com:8080"},
])  # fmt: skip
def test_a_page_of_another_site_changes_nothing(pages, headers):
    sign_in(pages, ADMIN)
    fields = {"form_token": page_token(pages)}
    assert pages.post("/admin/test", data=fields, headers=headers).status_code == 403
    assert pages.post(SIGN_OUT_PATH, data=fields, headers=headers).status_code == 403
    assert pages.get("/admin/test").status_code == 200, "still signed in"
    assert pages.post("/admin/test", data=fields, headers={"Origin": "http://relay.example.com"}).status_code == 200


@pytest.mark.parametrize("fields", [{}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": "é"}])
def test_a_form_that_was_not_made_for_this_browser_changes_nothing(pages, fields):
    sign_in(pages, ADMIN)
    refused = pages.post("/admin/test", data=fields, headers=OURS)
    assert refused.status_code == 403
    assert "open the page again" in refused.text
    assert pages.post("/admin/test", content=b"x=1", headers={**OURS, "Content-Type": "text/plain"}).status_code == 403
    assert pages.post("/admin/api/test", json={}, headers=OURS).status_code == 403, (
        "a session's cookie alone is not enough"
    )
    script = {**OURS, "X-Form-Token": page_token(pages)}
    assert pages.post("/admin/api/test", json={}, headers=script).status_code == 200


def test_the_sign_in_form_is_not_forged_either(pages):
    token = form(pages)
    pages.cookies.clear()
    assert pages.post(SIGN_IN_PATH, data={"form_token": token, "token": ADMIN}, headers=OURS).status_code == 403
    assert pages.post(SIGN_IN_PATH, data={"token": ADMIN}, headers=OURS).status_code == 403


def test_a_form_has_its_limits(pages):
    sign_in(pages, ADMIN)
    fields = {"form_token": page_token(pages), "body": "x" * 1024 * 1024}
    assert pages.post("/admin/test", data=fields, headers=OURS).status_code == 413
    many = {"form_token": page_token(pages), **{f"f{n}": "" for n in range(10_001)}}
    assert pages.post("/admin/test", data=many, headers=OURS).status_code == 413


def test_signing_out_ends_the_session_everywhere(pages):
    sign_in(pages, ADMIN)
    session = pages.cookies["relay_session"]
    answer = pages.post(SIGN_OUT_PATH, data={"form_token": page_token(pages)}, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, SIGN_IN_PATH)
    pages.cookies.set("relay_session", session, domain="relay.example.com", path="/admin")
    assert pages.get("/admin/test").status_code == 303


def test_a_changed_token_ends_its_sessions_and_no_others(open_pages):
    before = open_pages(RELAY_ADMIN_TOKEN=ADMIN, RELAY_ADMIN_READ_TOKEN=READ)
    sign_in(before, ADMIN)
    admin = before.cookies["relay_session"]
    before.cookies.clear()
    sign_in(before, READ)
    read = before.cookies["relay_session"]
    after = open_pages(RELAY_ADMIN_TOKEN="another-token-of-this-test", RELAY_ADMIN_READ_TOKEN=READ)
    answers = [after.get("/admin/test", headers={"Cookie": f"relay_session={one}"}) for one in (admin, read)]
    assert [one.status_code for one in answers] == [303, 200]
    swapped = open_pages(RELAY_ADMIN_TOKEN=READ, RELAY_ADMIN_READ_TOKEN=ADMIN)
    answers = [swapped.get("/admin/test", headers={"Cookie": f"relay_session={one}"}) for one in (admin, read)]
    assert [one.status_code for one in answers] == [303, 303]


def test_without_a_token_the_pages_answer_on_this_machine_only(open_pages):
    here = open_pages(peer=HERE, url="http://localhost:8000")
    assert here.get("/admin/test").text.startswith("operator acts ")
    assert here.get(SIGN_IN_PATH).headers["location"] == "/admin"
    done = here.post("/admin/test", data={"form_token": page_token(here)}, headers=OURS)
    assert done.status_code == 200
    here.cookies.clear()
    assert here.post("/admin/test", data={}, headers=OURS).status_code == 403
    assert here.post("/admin/api/test", json={}).status_code == 200, "a program on this machine"
    assert here.post("/admin/api/test", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 403
    for header in ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP"):
        closed = here.get("/admin/test", headers={header: "127.0.0.1"})
        assert (closed.status_code, "RELAY_ADMIN_TOKEN is not set" in closed.text) == (403, True), header
    assert here.get("/admin/test", headers={"Host": "rebound.example"}).status_code == 403
    for peer in ("203.0.113.5", "10.0.0.1"):
        elsewhere = open_pages(peer=peer)
        for path in ("/admin", "/admin/test", SIGN_IN_PATH, "/admin/api/test"):
            assert elsewhere.get(path).status_code == 403
        assert elsewhere.post("/admin/api/test", json={}, headers={"Authorization": "Bearer "}).status_code in (
            401,
            403,
        )


def test_with_a_token_this_machine_signs_in_as_well(open_pages):
    here = open_pages(peer=HERE, url="http://localhost:8000", RELAY_ADMIN_TOKEN=ADMIN)
    assert here.get("/admin/test").status_code == 303
    assert here.post("/admin/api/test", json={}).status_code == 401


def test_a_link_in_a_message_finds_the_session(pages):
    """A browser sends no strict cookie along with a link of another site: what our page then asks for has it."""
    sign_in(pages, ADMIN)
    session = dict(pages.cookies)
    pages.cookies.clear()
    answer = pages.get("/admin/test", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert answer.status_code == 200
    assert "http-equiv=refresh" in answer.text
    assert "set-cookie" not in answer.headers
    pages.cookies.update(session)
    assert pages.get("/admin/test", headers=OURS).text.startswith("operator acts ")


def test_the_read_token_opens_metrics_too(pages):
    for token, status in ((ADMIN, 200), (READ, 200), ("guess", 401)):
        assert pages.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == status


def test_a_store_that_is_away_is_said(open_pages, start_server):
    server = start_server()
    client = open_pages(REDIS_URL=server.url, RELAY_ADMIN_TOKEN=ADMIN)
    sign_in(client, ADMIN)
    server.stop()
    answer = client.get("/admin/test")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert client.get("/admin/api/test").json()["error"].startswith("the store does not answer")
