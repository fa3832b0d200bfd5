"""The page People and its address of the API: masked unless asked, and always in the audit."""

import pytest

from relay.amocrm.events import decode_receipt
from relay.operations.problems import read_problems
from relay.secret import SecretStr
from relay.store.acts import Author
from tests.integration.admin.conftest import ADMIN, READ
from tests.integration.admin.small_pages import open_here, send_form
from tests.integration.test_passports import EMAIL, PHONE, SECRET, YAML, contact
from workers.people_indexer import PeopleIndexer

BEARER = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture
def here(open_pages, relay, run):
    """Return a program, of a relay that has a hook of a person."""
    relay.configure(YAML)
    relay.accept(contact(1, PHONE, EMAIL))
    indexer = PeopleIndexer(relay.store, SecretStr(SECRET))
    run(indexer.index_batch(indexer._key, 1 << 52))
    return open_pages(config=YAML, RELAY_ADMIN_TOKEN=ADMIN, RELAY_ADMIN_READ_TOKEN=READ, RELAY_SECRET_KEY=SECRET)


def test_the_api_shows_a_passport_and_records_it(here, relay, run):
    here.headers.update(BEARER)
    answer = here.post("/admin/api/people/show", json={"phone": PHONE})
    assert answer.status_code == 200, answer.text
    assert (PHONE in answer.text, EMAIL in answer.text) == (False, False)
    assert answer.json()["events"][0]["deliveries"][0]["sink"] == "books"
    revealed = here.post("/admin/api/people/show?reveal=true&by=cron&why=asked", json={"phone": PHONE})
    assert EMAIL in revealed.text
    entries = run(relay.store.acts.audit(10))
    assert [(one.act, one.what, one.by) for one in entries] == [
        ("reveal", "person phone +7***4567", "cron"),
        ("reveal", "person phone +7***4567", "operator"),
    ]
    assert "say who" in here.post("/admin/api/people/show", json={}).json()["error"]


def test_who_may_only_look_sees_nobody(here):
    here.headers["Authorization"] = f"Bearer {READ}"
    assert here.post("/admin/api/people/show", json={"phone": PHONE}).status_code == 403
    assert "reveal nothing" in here.get("/admin/people").text
    assert here.post("/admin/people/passport", data={"phone": PHONE}).status_code == 403


@pytest.fixture
def browser(open_pages, relay, run):
    """Return a browser on this machine, of a relay that has a hook of a person."""
    opened = open_here(open_pages, config=YAML, RELAY_SECRET_KEY=SECRET)
    relay.configure(YAML)
    relay.accept(contact(1, PHONE, EMAIL))
    return opened


@pytest.mark.parametrize(("language", "title"), [("en", "Not in it"), ("ru", "Чего здесь нет")])
def test_the_page_can_be_read_and_printed(browser, language, title):
    browser.cookies.set("relay_language", language)
    form = browser.get("/admin/people")
    page = send_form(browser, form, "/admin/people/passport", [("phone", PHONE)])
    assert title in page.text
    assert "custom_fields.Телефон" in page.text
    shown = page.text.replace(f'value="{PHONE}"', "")  # what was typed stands in the form
    assert (PHONE in shown, EMAIL in shown) == (False, False)
    revealed = send_form(browser, page, "/admin/people/passport", [("phone", PHONE), ("reveal", "yes")])
    assert EMAIL in revealed.text


def test_an_erasure_is_shown_before_it_begins_and_takes_a_reason(browser, relay, run):
    form = browser.get("/admin/people")
    shown = send_form(browser, form, "/admin/people/erase", [("phone", PHONE)])
    assert "Backups keep the person" in shown.text
    assert run(relay.store.actions.newest(5)) == []
    without = send_form(browser, shown, "/admin/people/erase", [("phone", PHONE), ("sure", "yes")])
    assert "Say why" in without.text
    sure = [("phone", PHONE), ("sure", "yes"), ("why", "she asked")]
    begun = send_form(browser, shown, "/admin/people/erase", sure)
    (action,) = run(relay.store.actions.newest(5))
    assert (action.kind, action.why) == ("erase", "she asked")
    assert "phone +7***4567" in begun.text


def test_names_are_masked_on_the_page_until_they_are_revealed(browser, run, relay):
    form = browser.get("/admin/people")
    page = send_form(browser, form, "/admin/people/passport", [("phone", PHONE)])
    revealed = send_form(browser, page, "/admin/people/passport", [("phone", PHONE), ("reveal", "yes")])
    (event,) = run(relay.reader.receipts(["r0000"]))
    name = decode_receipt(run(relay.reader.raw_receipt(event.id)))[1][0].data["name"]
    assert (name in page.text, name in revealed.text) == (False, True)


def test_an_erasure_that_failed_is_listed_and_a_problem_until_somebody_says_why_not(browser, relay, run):
    form = browser.get("/admin/people")
    sure = [("phone", PHONE), ("sure", "yes"), ("why", "she asked")]
    shown = send_form(browser, form, "/admin/people/erase", [("phone", PHONE)])
    send_form(browser, shown, "/admin/people/erase", sure)
    (action,) = run(relay.store.actions.newest(5))
    kinds = lambda: [one.kind for one in run(read_problems(relay.reader, relay.config))]  # noqa: E731
    run(relay.store.actions.change(action.id, "fail", Author(by="anna", why="the worker has another key")))
    listed = browser.get("/admin/people").text
    assert ("phone +7***4567" in listed, "the worker has another key" in listed) == (True, True)
    assert "erasure-failed" in kinds()
    page = browser.get(f"/admin/actions/{action.id}")
    change = f"/admin/actions/{action.id}/change"
    assert "say why" in send_form(browser, page, change, [("act", "abort")]).text
    send_form(browser, page, change, [("act", "abort"), ("why", "done by hand")])
    assert run(relay.store.actions.read([action.id]))[0].state == "aborted"
    assert "erasure-failed" not in kinds()
    erasures = browser.get("/admin/api/people/erasures").json()["items"]
    assert [(one["id"], one["person"], one["state"]) for one in erasures] == [(action.id, "phone +7***4567", "aborted")]
