"""Before many are rendered anew, it is said what today's routes cannot render, and how many were not tried."""

import pytest

from relay.model import Outcome
from relay.operations import action_preview
from relay.operations.action_preview import preview_action
from relay.operations.actions import ActionKind, ActionRequest, read_action, read_actions
from relay.operations.render_trial import RenderTrial
from relay.operations.search import EventFilter
from tests.integration.action_runs import work_off

CONFIG = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
sinks:
  books: {type: http, idempotency: honoured, url: "http://books.test/"}
routes:
  - {name: invoices, on: %s, to: books, body: {title: "%s"}}
"""
NAME, NO_NAME_OF_TWO = "{{ lead.name }}", "{{ 1 / (lead.id | int - 2) }}"
RENDER = ActionRequest(kind=ActionKind.RENDER, filter=EventFilter(sink="books", state="dead"))


@pytest.fixture
def dead(relay, monkeypatch):
    """Let deliveries of three leads die, by a route that is changed afterwards."""
    monkeypatch.setenv("COLUMNS", "300")
    relay.configure(CONFIG % ("add_lead", NAME))
    relay.accept_leads(1, 2, 3)
    relay.settle(Outcome.REJECTED, "books")
    return relay


def preview(relay):
    return relay.run(preview_action(relay.reader, RENDER, relay.config))


def test_what_todays_routes_cannot_render_is_counted_and_comes_so(dead):
    dead.configure(CONFIG % ("add_lead", NO_NAME_OF_TWO))
    seen = preview(dead)
    assert (seen.results, seen.does, seen.untried) == ({"done": 2, "unsendable": 1}, 2, 0)
    code, printed = dead.command("dead", "resend", "--render", "--all", "--sink", "books", "--dry-run")
    assert (code, [line.rstrip() for line in printed.splitlines()[:3]]) == (
        0,
        [
            "3 deliveries found",
            "       2 would be rendered anew and resent, 0 of them text messages",
            "       1 left alone: today's routes cannot render it",
        ],
    )
    assert dead.command("dead", "resend", "--render", "--all", "--sink", "books", "--yes")[0] == 0
    work_off(dead.run, dead.store, dead.config)
    (action,) = dead.run(read_actions(dead.store)).items
    assert dead.run(read_action(dead.store, action.id)).results == seen.results, "it came as it was said"


def test_what_no_route_makes_any_more_starts_nothing(dead):
    dead.configure(CONFIG % ("update_lead", NAME))
    assert preview(dead).results == {"not made today": 3}
    assert "begins" not in dead.command("dead", "resend", "--render", "--all", "--sink", "books", "--yes")[1]


def test_those_that_were_not_tried_are_told(dead, monkeypatch):
    dead.configure(CONFIG % ("update_lead", NAME))
    monkeypatch.setattr(action_preview, "RenderTrial", lambda *args: RenderTrial(*args, most=2))
    seen = preview(dead)
    assert (seen.results, seen.untried) == ({"not made today": 2, "done": 1}, 1)
    printed = dead.command("dead", "resend", "--render", "--all", "--sink", "books", "--dry-run")[1]
    assert "1 of them were not tried with today's routes, which may not render them all" in printed
