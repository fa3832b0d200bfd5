"""What the commands print that start bulk actions, follow them and change them."""

import json

import pytest

from relay.model import Outcome
from tests.integration.action_runs import work_off

CONFIG = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
sinks:
  books: {type: http, idempotency: honoured, url: "http://books.test/"}
  texts: {type: smsru, api_id: an-id}
routes:
  - {name: invoices, on: add_lead, to: books, body: {title: "{{ lead.name }}"}}
  - {name: greetings, on: add_lead, to: texts, phone: "+79161234567", text: "{{ lead.name }}"}
"""


@pytest.fixture
def dead(relay, monkeypatch):
    """Let three deliveries to each sink die."""
    monkeypatch.setenv("COLUMNS", "300")
    relay.configure(CONFIG)
    receipts = relay.accept_leads(1, 2, 3)
    relay.settle(Outcome.REJECTED, "books", "texts")
    return relay.deliveries(*receipts)


def say(relay, *arguments: str) -> tuple[int, list[str]]:
    code, printed = relay.command(*arguments)
    return code, [line.rstrip() for line in printed.splitlines()]


def started(lines: list[str]) -> str:
    """Return the id of the action that a command has started."""
    return lines[-1].removeprefix("the workers do it: relay actions show ")


def test_a_dry_run_counts_and_shows_three(relay, dead):
    code, lines = say(relay, "dead", "resend", "--all", "--reason", "so it was", "--dry-run")
    assert (code, lines[:3]) == (
        0,
        ["6 deliveries found", "       6 would be resent, 3 of them text messages", "for example"],
    )
    assert len(lines) == 3 + 3 + 1
    assert lines[-1] == "nothing was written: --dry-run"
    assert {one.state for one in relay.run(relay.reader.deliveries([one.id for one in dead]))} == {"dead"}


def test_an_action_is_started_listed_shown_and_ended(relay, dead):
    code, lines = say(relay, "dead", "resend", "--sink", "books", "--all", "--by", "anna", "--why", "they are back")
    assert (code, "no worker runs: it begins when one does" in lines) == (0, True)
    id = started(lines)
    _, shown = say(relay, "actions", "list")
    assert shown[0].split() == ["started", "id", "what", "state", "looked", "at", "done", "left", "who", "why"]
    assert shown[1].split()[2:] == [id, "resend", "running", "0/3", "0", "0", "anna", "they", "are", "back"]
    assert say(relay, "actions", "pause", id) == (0, [f"{id}: paused; what it has begun with goes on"])
    assert say(relay, "actions", "pause", id) == (1, [f"{id}: it is paused: only a running action can be paused"])
    code, lines = say(relay, "actions", "resume", id, "nothing", "--json")
    told = json.loads("\n".join(lines))
    assert (code, [(one["id"], one["done"]) for one in told]) == (1, [(id, True), ("nothing", False)])
    work_off(relay.run, relay.store, relay.config)
    code, shown = say(relay, "actions", "show", id, "--limit", "2")
    assert shown[0].startswith(f"action {id}: resend, sink books, state dead, until ")
    assert shown[1].endswith("started by anna: they are back")
    assert shown[2].endswith("  done")
    assert shown[3] == "       3 resent"
    assert [line.split()[0] for line in shown[5:7]] == ["1", "2"]
    assert shown[-1] == f"relay actions show {id} --limit 2 --after 2"
    assert [row["state"] for row in json.loads(relay.command("actions", "list", "--json")[1])] == ["done"]
    touched = json.loads(relay.command("actions", "show", id, "--json", "--after", "2")[1])["touched"]["items"]
    assert [(one["number"], one["result"], one["delivery"]["state"]) for one in touched] == [(3, "done", "pending")]
    code, lines = say(relay, "actions", "abort", id)
    assert (code, lines) == (1, [f"{id}: it is done: only a running or paused action can be aborted"])
    assert say(relay, "audit")[1][1].split()[2:6] == ["anna", "finish", "action", id]


def test_followed_to_its_end_it_says_what_came_of_it(relay, dead, monkeypatch):
    """A script waits, and its status tells whether it was done."""
    id = started(say(relay, "dead", "cancel", "--all", "--sink", "texts")[1])
    work_off(relay.run, relay.store, relay.config)
    assert "       3 cancelled" in say(relay, "actions", "show", id, "--wait")[1]
    id = started(say(relay, "dead", "resend", "--all", "--sink", "books")[1])
    say(relay, "actions", "abort", id)
    code, lines = say(relay, "actions", "show", id, "--wait")
    assert (code, lines[-1]) == (1, "  nothing was touched")


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (["dead", "resend"], "say which: their ids, or --all with --sink, --reason, --since and so on"),
            (["dead", "resend", "--sink", "books"], "say which: their ids, or --all with"),
            (["dead", "resend", "some-id", "--all"], "give ids, or --all and what to choose by; not both"),
            (["deliveries", "cancel", "some-id", "--sink", "books"], "give ids, or --all and what to choose by"),
            (["dead", "resend", "--all"], "that is everything there is: say --yes where it is meant"),
            (["replay", "--all"], "that is everything there is: say --yes where it is meant"),
            (["deliveries", "move", "--all", "--sink", "x", "--to", "book"], "has no book, did you mean books?"),
            (["deliveries", "move", "--all", "--sink", "x"], "Missing option '--to'"),
        ],
    )  # fmt: skip
    def test_what_means_nothing_or_everything_is_refused(self, relay, dead, arguments, line):
        code, printed = relay.command(*arguments)
        assert (code, line in printed) == (2, True), printed
        assert say(relay, "actions", "list")[1][1:] == []

    def test_everything_is_meant_where_that_is_said(self, relay, dead):
        assert say(relay, "dead", "resend", "--all", "--yes")[0] == 0
        work_off(relay.run, relay.store, relay.config)
        assert {one.state for one in relay.run(relay.reader.deliveries([one.id for one in dead]))} == {"pending"}

    def test_where_nothing_is_found_nothing_is_started(self, relay, dead):
        assert say(relay, "held", "confirm", "--all", "--sink", "books") == (0, ["0 deliveries found"])
        code, lines = say(relay, "held", "confirm", "--all", "--sink", "bookz")
        assert (code, lines) == (0, ["0 deliveries found", "no sink bookz has been here: did you mean books?"])
        assert say(relay, "actions", "list")[1][1:] == []

    def test_the_same_once_more_says_which_one_runs(self, relay, dead):
        id = started(say(relay, "dead", "resend", "--all", "--since", "2h")[1])
        code, lines = say(relay, "dead", "resend", "--all", "--since", "3h")
        assert code == 1
        assert lines[-1] == (
            f"a resend of the same has not ended, action {id}: wait for it, or abort it; "
            f"`relay actions show {id}` says how far it is"
        )

    @pytest.mark.parametrize("act", ["show", "pause", "resume", "abort"])
    def test_an_action_that_there_is_not(self, relay, dead, act):
        code, printed = relay.command("actions", act, "nosuch")
        assert code == 1
        assert "nosuch: there is no such action: `relay actions list` has them" in printed
