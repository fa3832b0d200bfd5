"""Bulk actions: one thing done to all that a filter finds, by the workers, once each, whatever happens to them."""

import pytest

from relay.model import DeliveryState, Outcome
from relay.operations.action_preview import preview_action
from relay.operations.action_work import ActionWork
from relay.operations.actions import (
    ActionAct,
    ActionKind,
    ActionRequest,
    act_on_action,
    read_action,
    read_actions,
    read_touched,
    start_action,
)
from relay.operations.failures import find_failures
from relay.operations.search import EventFilter
from relay.store.actions import ActionState
from relay.store.acts import Act, Author
from tests.integration.action_runs import no_account, work_off

ANNA, BORIS = Author(by="anna", why="the list is back"), Author(by="boris")
CONFIG = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
sinks:
  books: {type: http, idempotency: honoured, url: "http://books.test/"}
  sms: {type: smsru, api_id: an-id}
routes:
  - {name: invoices, on: add_lead, to: books, body: {title: "{{ lead.name }}"}}
"""


@pytest.fixture
def dead(relay):
    """Return a function that makes so many dead deliveries of the sink books, each of a hook of its own."""
    relay.configure(CONFIG)

    def make(n: int) -> list[str]:
        receipts = relay.accept_leads(*range(1, n + 1))
        for _ in range(0, n, 100):
            relay.settle(Outcome.REJECTED, "books")
        return [one.id for one in relay.deliveries(*receipts)]

    return make


@pytest.fixture
def start(run, store, reader):
    """Start an action; return what came of that."""

    def begin(kind: ActionKind, author: Author = ANNA, rate: int = 5000, **filters):
        request = ActionRequest(kind=kind, filter=EventFilter(**filters), rate=rate)
        return run(start_action(store, reader, request, author))

    return begin


@pytest.fixture
def read(run, store):
    """Read an action."""
    return lambda id: run(read_action(store, id))


@pytest.fixture
def states(run, reader):
    """Return the states of deliveries, in order."""
    return lambda ids: [one.state for one in run(reader.deliveries(ids))]


@pytest.fixture
def finish(run, store, relay):
    """Let a worker do all that there is to do of actions."""
    return lambda: work_off(run, store, relay.config)


def test_all_dead_letters_of_a_sink_are_resent_by_one_action(run, store, reader, dead, start, read, states, finish):
    ids = dead(25)
    begun = start(ActionKind.RESEND, sink="books", state="dead")
    assert begun.started
    running = read(begun.id)
    assert (running.state, running.total, running.looked, running.touched) == (ActionState.RUNNING, 25, 0, 0)
    finish()
    done = read(begun.id)
    assert (done.state, done.looked, done.results, done.by, done.why) == ("done", 25, {"done": 25}, "anna", ANNA.why)
    assert states(ids) == [DeliveryState.PENDING] * 25
    first = run(read_touched(store, reader, begun.id, limit=20))
    rest = run(read_touched(store, reader, begun.id, limit=20, after=first.next))
    touched = [*first.items, *rest.items]
    assert {one.id for one in touched} == set(ids)
    assert {(one.result, one.delivery.state) for one in touched} == {("done", "pending")}
    assert (len(first.items), rest.next) == (20, None)


def test_the_audit_has_the_action_and_its_items_refer_to_it(run, store, reader, dead, start, finish):
    (id,) = dead(1)
    begun = start(ActionKind.RESEND, state="dead")
    finish()
    entries = [(one.act, one.what, one.by, one.why) for one in run(store.acts.audit(10))]
    what = f"action {begun.id}"
    assert entries == [("finish", what, "anna", ANNA.why), ("start resend", what, "anna", ANNA.why)]
    assert f"resent by anna: the list is back (action {begun.id})" in [one.reason for one in run(reader.story(id))]


def test_what_a_filter_does_not_find_is_left_alone(run, store, reader, relay, dead, start, read, states, finish):
    first, second = dead(2)
    run(store.acts.act_on_delivery(first, Act.CANCEL, BORIS))
    begun = start(ActionKind.RESEND, reason="cancelled by boris")
    finish()
    assert read(begun.id).results == {"done": 1}
    assert states([first, second]) == ["pending", "dead"]
    assert start(ActionKind.CANCEL, route="no such route", state="pending").started
    finish()
    assert states([first, second]) == ["pending", "dead"]


def test_those_of_one_cause_are_resent(run, reader, dead, start, read, states, finish):
    ids = dead(3)
    (cause,) = run(find_failures(reader))
    begun = start(ActionKind.RESEND, cause=cause.id)
    finish()
    assert (read(begun.id).results, states(ids)) == ({"done": 3}, ["pending"] * 3)


def test_a_preview_counts_and_shows_three_and_changes_nothing(run, store, reader, relay, dead, states):
    ids = dead(5)
    run(store.acts.act_on_delivery(ids[0], Act.RESEND, BORIS))
    relay.settle(Outcome.DELIVERED, "books")
    request = ActionRequest(kind=ActionKind.RESEND, filter=EventFilter(sink="books"))
    seen = run(preview_action(reader, request))
    assert (seen.results, seen.does, seen.text_messages, seen.complete) == ({"done": 4, "delivered": 1}, 4, 0, True)
    assert [one.about for one in seen.samples] == ["invoices, dead: so it was"] * 3
    assert states(ids) == ["delivered", *["dead"] * 4]
    assert run(read_actions(store)).items == []


class TestKilled:
    """The worker is killed after any of the calls of a step: the next one does nothing twice."""

    @pytest.mark.parametrize("force", [False, True])
    def test_a_repeated_step_renders_nothing_twice(self, run, store, reader, relay, dead, force):
        (id,) = dead(1)
        if force:
            run(store.acts.act_on_delivery(id, Act.RESEND, BORIS))
            relay.settle(Outcome.DELIVERED, "books")
        request = ActionRequest(kind=ActionKind.REPLAY, filter=EventFilter(), force=force)
        begun = run(start_action(store, reader, request, ANNA))
        work = ActionWork(store, relay.config, no_account)
        (before,) = run(store.actions.read([begun.id]))
        run(work.step(before))
        assert len(relay.settle(Outcome.DELIVERED, "books")) == 1
        # As if it had been killed before it saved how far it was: the next one begins where it began.
        run(store.client.hset(store.keys.action(begun.id), "cursor", ""))
        run(work.step(before))
        assert relay.settle(Outcome.DELIVERED, "books") == []
        assert run(read_action(store, begun.id)).results == {"again": 1}

    def test_two_workers_at_one_page_count_it_once(self, run, store, dead, start, relay, read):
        dead(3)
        begun = start(ActionKind.RESEND, state="dead")
        (before,) = run(store.actions.read([begun.id]))
        for _ in range(2):
            run(ActionWork(store, relay.config, no_account).step(before))
        action = read(begun.id)
        assert (action.results, action.looked) == ({"done": 3}, 3)


class TestBadInput:
    """Each gets one clear line; nothing is done twice, nothing is lost."""

    def test_what_is_settled_leased_or_of_another_state_is_told_and_left(
        self, run, store, relay, dead, start, read, finish
    ):
        ids = dead(3)
        run(store.acts.act_on_delivery(ids[0], Act.RESEND, BORIS))
        relay.settle(Outcome.DELIVERED, "books")
        begun = start(ActionKind.CONFIRM, state="dead")
        finish()
        assert read(begun.id).results == {"dead": 2}
        begun = start(ActionKind.RESEND)
        finish()
        assert read(begun.id).results == {"done": 2, "delivered": 1}
        begun = start(ActionKind.RETRY)
        finish()
        assert read(begun.id).results == {"due": 2}

    def test_a_filter_that_matches_nothing_starts_nothing(self, relay, start, run, store):
        relay.configure(CONFIG)
        begun = start(ActionKind.RESEND, state="dead")
        assert (begun.started, begun.message) == (False, "nothing to resend: nothing is found by that")
        assert run(store.acts.audit(10)) == []

    def test_an_action_begun_twice_says_so_whatever_the_span_and_the_rate(self, dead, start, finish):
        dead(2)
        first = start(ActionKind.RESEND, state="dead", since=1)
        second = start(ActionKind.RESEND, author=BORIS, state="dead", since=2, rate=7)
        assert (second.id, second.started) == (first.id, False)
        assert f"has not ended, action {first.id}: wait for it, or abort it" in second.message
        assert start(ActionKind.CANCEL, state="dead").started
        finish()
        assert start(ActionKind.RESEND).started

    def test_two_people_act_on_one_action(self, run, store, dead, start):
        dead(1)
        begun = start(ActionKind.RESEND, state="dead")
        acts = [(ActionAct.PAUSE, ANNA), (ActionAct.PAUSE, BORIS), (ActionAct.ABORT, ANNA), (ActionAct.RESUME, BORIS)]
        assert [run(act_on_action(store, begun.id, act, who)).message for act, who in acts] == [
            "paused; what it has begun with goes on",
            "it is paused: only a running action can be paused",
            "aborted; what it did stays done",
            "it is aborted: only a paused action can be resumed; start a new one: what this one did is left alone",
        ]
        assert run(act_on_action(store, "nosuch", ActionAct.PAUSE, ANNA)).message.startswith("there is no such action")

    def test_it_ends_where_all_that_was_left_is_gone_meanwhile(
        self, run, store, relay, dead, start, read, states, finish
    ):
        ids = dead(5)
        begun = start(ActionKind.RESEND, sink="books", state="dead")
        (before,) = run(store.actions.read([begun.id]))
        run(ActionWork(store, relay.config, no_account).step(before, most=2))
        for id in (id for id, state in zip(ids, states(ids), strict=True) if state == "dead"):
            run(store.acts.act_on_delivery(id, Act.RESEND, BORIS))
        (stale,) = run(store.actions.read([begun.id]))
        assert run(ActionWork(store, relay.config, no_account).step(stale)).ended
        finish()
        assert (read(begun.id).state, read(begun.id).results) == ("done", {"done": 2})

    def test_aborted_in_the_middle_the_rest_is_left(self, run, store, relay, dead, start, read, states, finish):
        ids = dead(5)
        begun = start(ActionKind.RESEND, state="dead")
        (before,) = run(store.actions.read([begun.id]))
        run(ActionWork(store, relay.config, no_account).step(before, most=2))
        run(act_on_action(store, begun.id, ActionAct.ABORT, BORIS))
        (stale,) = run(store.actions.read([begun.id]))
        assert run(ActionWork(store, relay.config, no_account).step(stale)).stopped  # of a worker that had not noticed
        finish()
        action = read(begun.id)
        assert (action.state, action.touched, action.looked) == ("aborted", 2, 2)
        assert sorted(states(ids)) == [*["dead"] * 3, *["pending"] * 2]
        assert run(store.client.zcard(store.keys.due("jobs"))) == 0

    def test_a_paused_one_goes_on_where_it_was_a_week_later(self, run, store, relay, dead, start, read, states, finish):
        ids = dead(5)
        begun = start(ActionKind.RESEND, state="dead")
        (before,) = run(store.actions.read([begun.id]))
        run(ActionWork(store, relay.config, no_account).step(before, most=2))
        run(act_on_action(store, begun.id, ActionAct.PAUSE, ANNA))
        finish()
        assert sorted(states(ids)) == [*["dead"] * 3, *["pending"] * 2]
        # What retention has removed by then, or another person has acted on, is found as it is.
        left = [id for id, state in zip(ids, states(ids), strict=True) if state == "dead"]
        run(store.acts.act_on_delivery(left[0], Act.CANCEL, BORIS))
        run(store.actions.retire(0, 0, 100))  # retention leaves what has not ended
        run(act_on_action(store, begun.id, ActionAct.RESUME, ANNA))
        finish()
        action = read(begun.id)
        assert (action.state, action.results) == ("done", {"done": 4})
        assert sorted(states(ids)) == ["cancelled", *["pending"] * 4]

    def test_what_was_erased_is_not_replayed(self, run, store, reader, relay, dead, read, finish):
        dead(2)
        request = ActionRequest(kind=ActionKind.REPLAY, filter=EventFilter())
        begun = run(start_action(store, reader, request, ANNA))
        run(store.retention.apply(10**9, 10**9, 1, 100))  # one of both
        finish()
        assert read(begun.id).results == {"again": 1}

    def test_a_sink_that_the_workers_do_not_have_fails_the_action(self, run, store, reader, dead, read, finish):
        dead(1)
        request = ActionRequest(kind=ActionKind.MOVE, filter=EventFilter(state="dead"), to="bookz")
        begun = run(start_action(store, reader, request, ANNA))
        finish()
        action = read(begun.id)
        assert (action.state, action.problem) == ("failed", "--to: unknown sink bookz, did you mean books?")


def test_what_is_fresh_goes_first(run, store, relay, dead, start, read, finish, monkeypatch):
    monkeypatch.setattr("relay.operations.action_work.MOST_DUE", 2)
    dead(4)
    relay.accept_leads(11, 12, 13)
    begun = start(ActionKind.RESEND, state="dead")
    finish()
    assert (read(begun.id).waits, read(begun.id).touched) == ("books has 3 to send", 0)
    relay.settle(Outcome.DELIVERED, "books")
    run(store.client.zadd(store.keys.due("jobs"), {f"action:{begun.id}": 1}))
    finish()
    assert (read(begun.id).waits, read(begun.id).state, read(begun.id).touched) == ("", "done", 4)


def test_ended_actions_are_kept_for_a_while_and_no_longer(run, store, dead, start, finish, reader):
    dead(3)
    begun = [start(kind, state="dead").id for kind in (ActionKind.CANCEL, ActionKind.CONFIRM)]
    finish()
    assert [one.id for one in run(read_actions(store, limit=1)).items] == [begun[1]]
    page = run(read_actions(store, limit=1, after=run(read_actions(store, limit=1)).next))
    assert ([one.id for one in page.items], page.next) == ([begun[0]], None)
    assert run(store.actions.retire(10**9, 1, 100)) == 1
    assert len(run(read_actions(store)).items) == 1
    assert run(store.actions.retire(0, 1000, 100)) == 1
    assert run(store.client.keys(store.keys.prefix + "items:*")) == []
    assert run(read_touched(store, reader, begun[0])).items == []
