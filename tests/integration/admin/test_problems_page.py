"""The home page says what needs a person, with the one button that helps, and draws numbers a minute."""

import re

import pytest

from relay.model import Outcome
from relay.store.minutes import Minutes
from relay.web.admin.charts import draw_chart, round_up
from relay.web.admin.problem_texts import MEANINGS, TITLES
from tests.integration.admin.conftest import HERE, Client
from tests.integration.small_relay import SmallRelay

CONFIG = """
sources:
  acme: {type: amocrm, token: acme-hook-token-16, account: {subdomain: acme}}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
routes: [{name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}]
"""
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def small(run, store, reader, tmp_path) -> SmallRelay:
    """Return what stores and routes hooks of the same relay."""
    relay = SmallRelay(run, store, reader, tmp_path)
    relay.configure(CONFIG)
    return relay


@pytest.fixture
def here(small, open_pages) -> Client:
    """Return a browser on the relay's machine, where no token is set."""
    return open_pages(peer=HERE, url="http://localhost:8000", config=CONFIG)


def pause(small: SmallRelay) -> None:
    assert small.command("sinks", "pause", "books", "--why", "they move", "--by", "anna")[0] == 0


def press(client: Client, path: str, **fields: str):
    token = re.search(r'name="form_token" value="(\w+)"', client.get("/admin/problems").text)
    assert token
    return client.post(path, data={"form_token": token[1], **fields}, headers=OURS)


def heading(client: Client, **more) -> str:
    found = re.search(r"<h1>(.*?)</h1>", client.get("/admin/problems", **more).text)
    assert found
    return found[1]


def card(client: Client, name: str) -> str:
    found = re.search(rf'<article class="([^"]*)"[^>]*id="p-{name}">', client.get("/admin/problems").text)
    return found[1] if found else ""


def test_the_home_page_is_that_of_problems(here):
    assert here.get("/admin").headers["location"] == "/admin/problems"
    assert "thing" in heading(here)
    assert "дел" in heading(here, headers={"Accept-Language": "ru"})


def test_a_number_of_the_strip_goes_with_its_word(here, small):
    pause(small)
    assert "<b>0</b> silent sources</a>" in here.get("/admin/problems").text
    for language, shown in {"en": "<b>1</b> closed gate</a>", "ru": "<b>1</b> закрытые ворота</a>"}.items():
        assert shown in here.get("/admin/problems", headers={"Accept-Language": language}).text


def test_the_button_that_helps_helps(here, small):
    pause(small)
    shown = here.get("/admin/problems").text
    assert "books is paused" in shown
    assert "by anna: they move" in shown
    answer = press(here, "/admin/problems/help", id="sink-paused:books")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/problems")
    assert "books is paused" not in here.get("/admin/problems").text
    entry = small.run(small.store.acts.audit(1))[0]
    assert (entry.act, entry.what) == ("resume", "sink books")


def test_a_problem_is_seen_and_muted_by_a_form(here, small):
    pause(small)
    before = heading(here)
    press(here, "/admin/problems/mark", id="sink-paused:books", state="seen")
    assert heading(here) == before
    assert "seen" in here.get("/admin/problems").text
    press(here, "/admin/problems/mark", id="sink-paused:books", state="muted", **{"for": "8h"})
    assert "quiet" in card(here, "sink-paused-books")
    assert heading(here) != before


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/admin/problems/mark", {"id": "sink-paused:books", "state": "gone"}, 404),
        ("/admin/problems/mark", {"id": "no-such:problem", "state": "seen"}, 400),
        ("/admin/problems/help", {"id": "no-such:problem"}, 404),
    ],
)
def test_what_is_stale_or_forged_is_a_clear_page(here, small, path, fields, status):
    pause(small)
    assert press(here, path, **fields).status_code == status
    assert "paused" in card(here, "sink-paused-books") or "books is paused" in here.get("/admin/problems").text
    assert here.post(path, data=fields, headers=OURS).status_code == 403  # without the form's token


def test_what_a_sink_said_is_masked_and_escaped(here, small):
    small.accept_leads(1)
    small.settle(Outcome.REJECTED, "books")
    why = "call +7 999 123-45-67 <b>now</b>"
    assert small.command("sinks", "pause", "books", "--why", why, "--by", "anna")[0] == 0
    shown = here.get("/admin/problems").text
    assert "123-45-67" not in shown
    assert "<b>now</b>" not in shown


def test_charts_show_the_minutes_with_a_mark_where_the_configuration_changed(here, small, store, run):
    minutes = Minutes(store.client, store.namespace)
    key = store.keys.totals

    def sample(config: str) -> None:
        if known := run(store.client.get(key)):
            minute, _, totals = known.partition(b"|")
            run(store.client.set(key, b"%d|%b" % (int(minute) - 1, totals)))
        run(minutes.sample(config))

    sample("v1")
    small.accept_leads(1, 2, 3)
    small.settle(Outcome.DELIVERED, "books")
    sample("v1")
    sample("v2")
    shown = here.get("/admin/problems").text
    assert "configuration v2" in shown
    assert shown.count('class="spark"') == 2  # the source and the sink
    assert 'class="line delivered"' in shown


def test_a_chart_has_a_gap_where_nobody_counted():
    (line,) = draw_chart([("receipts", [1, 2, None, 4])]).lines
    assert len(line.paths) == 2
    assert [round_up(number) for number in (0, 1, 3, 7, 11, 4999)] == [1, 1, 5, 10, 20, 5000]


def test_every_kind_with_a_meaning_has_a_title():
    assert MEANINGS.keys() - TITLES.keys() == set()
