"""A text in the hook is a filter as any other: of lists, in steps that find the same, and of what people do to all."""

import json

import pytest

from relay.amocrm.form import encode_form
from relay.model import Outcome
from relay.operations.action_preview import preview_action
from relay.operations.actions import ActionKind, ActionRequest, read_action, start_action
from relay.operations.search import EventFilter, find_deliveries, find_events
from relay.store.acts import Author
from tests.integration.action_runs import work_off

CONFIG = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
sinks:
  books: {type: http, idempotency: honoured, url: "http://books.test/"}
routes:
  - {name: invoices, on: add_lead, to: books, body: {title: "{{ lead.name }}"}}
"""


@pytest.fixture
def hooks(relay):
    """Return a relay with dead deliveries of 240 hooks: every other one speaks of windows, the rest of doors."""
    relay.configure(CONFIG)
    names = [name for _ in range(120) for name in ("Окна ПВХ", "Двери")]
    leads = [{"id": str(n), "name": f"{name} {n}"} for n, name in enumerate(names, 1)]
    relay.accept(*[encode_form({"leads": {"add": [one]}}) for one in leads])
    while relay.settle(Outcome.REJECTED, "books"):
        pass
    return relay


def read_all(relay, find, seconds: float, **filters) -> tuple[list, int]:
    """Read a list to its end. Returns what it has, and in how many steps."""
    found, after, steps = [], None, 0
    while True:
        page = relay.run(find(relay.reader, EventFilter(limit=500, after=after, **filters), seconds))
        found, after, steps = [*found, *page.items], page.next, steps + 1
        if after is None:
            return found, steps


@pytest.mark.parametrize("find", [find_events, find_deliveries])
def test_short_steps_find_what_one_long_one_does_in_any_case(hooks, find):
    whole, steps = read_all(hooks, find, 60, text="окна пвх")
    assert (len(whole), steps) == (120, 1)
    short, steps = read_all(hooks, find, 0, text="ОКНА")
    assert [one.id for one in short] == [one.id for one in whole]
    assert steps >= 3, "a step without time ends with its first page"
    assert read_all(hooks, find, 0, text="nobody wrote this")[0] == []


def test_a_text_goes_together_with_other_filters(hooks):
    found, _ = read_all(hooks, find_deliveries, 60, text="двери", state="dead", sink="books")
    assert len(found) == 120
    assert read_all(hooks, find_deliveries, 60, text="двери", state="held")[0] == []
    (lead,) = read_all(hooks, find_events, 60, text="окна", entity=("lead", "7"))[0]
    assert lead.event.entity_id == "7"


def test_commands_list_and_act_by_a_text(hooks):
    printed = hooks.command("dead", "list", "--text", "окна", "--limit", "500", "--json")[1]
    listed, _ = json.JSONDecoder().raw_decode(printed)  # how it goes on may follow
    windows = {one.id for one in read_all(hooks, find_deliveries, 60, text="окна")[0]}
    assert listed
    assert {one["id"] for one in listed} <= windows
    code, printed = hooks.command("dead", "cancel", "--all", "--text", "двери", "--dry-run")
    assert (code, "120 would be cancelled" in printed) == (0, True)


@pytest.mark.parametrize(("kind", "result"), [(ActionKind.CANCEL, "done"), (ActionKind.REPLAY, "again")])
def test_an_action_does_it_only_to_what_has_the_text_and_counts_that_before(hooks, kind, result):
    state = "dead" if kind is ActionKind.CANCEL else ""
    request = ActionRequest(kind=kind, filter=EventFilter(text="двери", state=state))
    preview = hooks.run(preview_action(hooks.reader, request, hooks.config))
    assert (preview.results[result], preview.complete, preview.looked) == (120, True, 240)
    started = hooks.run(start_action(hooks.store, hooks.reader, request, Author(by="anna", why="wrong list")))
    work_off(hooks.run, hooks.store, hooks.config)
    action = hooks.run(read_action(hooks.store, started.id))
    assert (action.state, action.results) == ("done", {result: 120})
    if kind is ActionKind.CANCEL:
        assert {one.state for one in read_all(hooks, find_deliveries, 60, text="двери")[0]} == {"cancelled"}
        assert {one.state for one in read_all(hooks, find_deliveries, 60, text="окна")[0]} == {"dead"}
