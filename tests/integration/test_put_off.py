"""A full sink: what is over what it may have waiting is put off, and nothing is lost."""

import asyncio
import re
from collections import Counter
from types import SimpleNamespace

import pytest

from relay.events import decode_events
from relay.model import DeliveryState, Outcome
from relay.operations.action_preview import preview_action
from relay.operations.actions import (
    ActionAct,
    ActionKind,
    ActionRequest,
    act_on_action,
    read_action,
    read_touched,
    start_action,
)
from relay.operations.acts import act_on_deliveries
from relay.operations.search import EventFilter, find_deliveries, find_events, format_cursor, parse_cursor
from relay.planning import receipts
from relay.sinks.registry import make_sinks
from relay.store.acts import Act, Author
from relay.store.newest import NewestIndex
from tests.integration.action_runs import work_off
from tests.integration.store.shapes import hook
from workers.put_off import FULL_MS, IDLE_MS, PutOffMaker

YAML = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
sinks:
  books: {type: http, url: "http://books.test/", max_pending: 3}
  ledger: {type: http, url: "http://ledger.test/"}
routes:
  - {name: to the books, on: add_lead, to: books, body: {title: "{{ lead.name }}"}}
  - {name: ledger, on: add_lead, to: ledger, body: {title: "{{ lead.name }}"}}
"""
ONCE = YAML.replace("to: books,", 'to: books, once: "{{ lead.name }}",')
LEADS = range(1, 9)


@pytest.fixture
def full(relay):
    """Return a relay whose sink books is paused, and has three deliveries waiting and five put off."""
    relay.configure(YAML)
    relay.run(relay.store.acts.pause("books", Author(by="anna", why="they move house"), None))
    relay.receipts = relay.accept_leads(*LEADS)
    return relay


def maker(relay) -> PutOffMaker:
    """Return the job that makes what was put off."""

    async def refresh(_) -> None:
        return None

    live = SimpleNamespace(
        config=relay.config, sinks=make_sinks(relay.config), subscriptions={}, refresh_subscriptions=refresh
    )
    return PutOffMaker(live, relay.store, lambda _: None)


def make(relay) -> int:
    """Run the job. Returns when it is due again."""
    return relay.run(maker(relay).run(None))


def books(relay):
    """Return the state of the sink books."""
    return next(one for one in relay.run(relay.reader.sinks()) if one.name == "books")


def counts(relay) -> tuple[int, int]:
    """Return how many of books are pending, and put off."""
    return books(relay).pending, books(relay).put_off


def resume(relay) -> None:
    relay.run(relay.store.acts.resume("books", Author(by="anna")))


def deliver_all(relay, sink: str = "books") -> list[str]:
    """Deliver what is due, and make what was put off, until nothing is left. Returns what was sent."""
    sent = []
    while items := relay.settle(Outcome.DELIVERED, sink):
        sent += [one.content.decode() for one in items]
        make(relay)
    return sent


def test_other_sinks_get_theirs_and_all_arrives_once_when_there_is_room(full):
    assert counts(full) == (3, 5)
    assert len(full.settle(Outcome.DELIVERED, "ledger")) == len(LEADS)
    assert make(full) == FULL_MS
    assert counts(full) == (3, 5)
    resume(full)
    sent = deliver_all(full)
    assert sorted(sent) == sorted(set(sent))
    assert len(sent) == len(LEADS)
    assert (counts(full), make(full)) == ((0, 0), IDLE_MS)
    assert {one.state for one in full.deliveries(*full.receipts)} == {DeliveryState.DELIVERED}


def test_what_is_routed_or_made_twice_is_there_once(full):
    full.route_again(*full.receipts)
    assert counts(full) == (3, 5)
    resume(full)
    items = full.run(full.store.put_off.next("books", 9))
    full.settle(Outcome.DELIVERED, "books")
    make(full)
    make(full)
    assert counts(full) == (3, 2)
    full.route_again(*full.receipts)
    assert counts(full) == (3, 2)
    assert [one.member for one in items[3:]] == [one.member for one in full.run(full.store.put_off.next("books", 9))]


def test_two_workers_that_make_the_same_make_it_once(full):
    resume(full)
    full.settle(Outcome.DELIVERED, "books")
    both = [maker(full) for _ in range(2)]

    async def run() -> None:
        await asyncio.gather(*(one.run(None) for one in both))

    full.run(run())
    assert sum(counts(full)) == 5


def test_a_sink_that_is_full_is_told_by_everything_that_is_looked_at(full):
    shown = full.command("sinks", "show", "books")[1]
    assert "5 put off until it has room: it has 3 pending, as many as it may (max_pending)" in shown
    doctor = full.command("doctor")[1]
    assert "3 wait, at most 3 may; 5 more are put off" in doctor
    assert "do:    relay sinks resume books, or raise its max_pending" in doctor
    assert "3, 5 put off" in full.command("sinks", "list")[1]


def test_it_is_told_before_it_is_full(relay):
    relay.configure(YAML.replace("max_pending: 3", "max_pending: 10"))
    relay.accept_leads(*range(8))
    assert "8 wait, at most 10 may" in relay.command("doctor")[1]


def test_more_room_in_the_file_is_used(full):
    full.configure(YAML.replace("max_pending: 3", "max_pending: 7"))
    make(full)
    assert counts(full) == (7, 1)


def test_a_route_that_is_gone_leaves_a_dead_letter_that_says_so(full):
    full.configure(YAML.replace("name: to the books", "name: other").replace("max_pending: 3", "max_pending: 9"))
    make(full)
    assert (counts(full), books(full).dead) == ((3, 0), 5)
    assert "by the configuration in force now it would not be made" in full.command("dead", "list")[1]


def test_a_hook_that_a_defect_breaks_by_now_holds_up_no_other(full, monkeypatch):
    """It was routed before, by an earlier release or another file."""
    lost = full.receipts[4]

    def decode(receipt, *more):
        if receipt.id == lost:
            raise RuntimeError("a defect")
        return decode_events(receipt, *more)

    monkeypatch.setattr(receipts, "decode_events", decode)
    resume(full)
    assert len(deliver_all(full)) == len(LEADS) - 1
    dead = [one for one in full.deliveries(lost) if one.state is DeliveryState.DEAD]
    assert [(one.sink, one.reason) for one in dead] == [("books", "internal error: RuntimeError")]


def test_a_once_key_has_one_delivery_also_when_it_was_put_off(relay):
    relay.configure(ONCE.replace("max_pending: 3", "max_pending: 1"))
    relay.accept_leads(1)
    first = relay.accept_leads(2)
    relay.run(relay.store.accept([hook("again", relay.run(relay.reader.raw_receipt(first[0])).body + b"&x=1")]))
    relay.route()
    assert counts(relay) == (1, 2)
    assert len(deliver_all(relay)) == 2
    assert counts(relay) == (0, 0)


def test_the_job_is_due_as_soon_as_something_is_put_off(relay):
    relay.configure(YAML)
    for _ in range(2):  # it is made, then found waiting
        relay.accept_leads(*LEADS)
        due = relay.run(relay.store.client.zscore(relay.store.keys.due("jobs"), "put-off"))
        assert due <= relay.run(relay.reader.now())
        relay.run(relay.store.client.zadd(relay.store.keys.due("jobs"), {"put-off": due + 3_600_000}))


def put_off_id(full) -> str:
    (receipt,) = full.run(full.reader.receipts([full.receipts[-1]]))
    return next(id for id, sink in receipt.put_off.items() if sink == "books")


def test_what_is_put_off_is_listed_and_shown_as_any_other_delivery(full):
    id = put_off_id(full)
    for filters in (
        ["--state", "put-off"],
        ["--sink", "books"],
        ["--route", "to the books"],
        ["--entity", f"lead:{LEADS[-1]}"],
    ):
        printed = full.command("deliveries", "list", *filters)[1]
        assert re.search(rf"{id} +books +put-off +0 +when its sink has room +to the books", printed), filters
    for filters in (["--state", "pending"], ["--sink", "ledger"], ["--state", "put-off", "--reason", "404"]):
        assert "put-off" not in full.command("deliveries", "list", *filters)[1], filters
    assert "put-off" not in full.command("dead", "list")[1]
    for shown in (("events", "show", full.receipts[-1]), ("deliveries", "show", id)):
        printed = full.command(*shown)[1]
        assert "put-off: it is made as soon as books has room" in printed
        assert f"`relay deliveries cancel {id}` gives it up" in printed
    for act in (["retry"], ["resend"], ["resend", "--render"], ["move", "--to", "ledger"]):
        code, printed = full.command("deliveries", *act, id)
        assert (code, f"{id}: it is put off, as its sink is full" in printed) == (1, True), act
    assert "there is no such delivery" in full.command("deliveries", "retry", "*")[1]


def test_what_is_put_off_is_listed_page_by_page_with_all_others(full):
    def read(**filters) -> list:
        found, after = [], None
        while True:
            page = full.run(find_deliveries(full.reader, EventFilter(limit=2, after=after, **filters)))
            found, after = [*found, *page.items], page.next and parse_cursor(format_cursor(page.next))
            if after is None:
                return found

    assert len({one.id for one in read(state="put-off")}) == 5
    every = read()
    assert Counter((one.sink, one.state) for one in every) == {
        ("books", "pending"): 3, ("books", "put-off"): 5, ("ledger", "pending"): 8,
    }  # fmt: skip
    arrived = [one.accepted_at for one in every]
    assert arrived == sorted(arrived, reverse=True)
    until = max(one.accepted_at for one in every)
    assert len(read(state="put-off", source="acme", event="add_lead", route="to the books", since=1, until=until)) == 5
    for none in ({"source": "other"}, {"event": "add_task"}, {"route": "ledger"}, {"until": 1}, {"sink": "ledger"}):
        assert read(state="put-off", **none) == [], none


def test_events_are_found_by_the_route_and_sink_of_what_is_put_off(full):
    full.configure(YAML)
    index = NewestIndex(full.store.client, full.store.namespace)
    for indexed in (False, True):
        page = full.run(find_events(full.reader, EventFilter(sink="books", route="to the books")))
        assert len(page.items) == len(LEADS), indexed
        full.run(index.index(full.run(full.reader.now()) + 10_000, 10_000))


def test_one_that_is_put_off_is_cancelled_once_and_never_made(full):
    id = put_off_id(full)
    code, printed = full.command("deliveries", "cancel", id, "--by", "anna", "--why", "a wrong price")
    assert (code, printed) == (0, f"{id}: cancelled: it was put off, and is not made\n")
    assert counts(full) == (3, 4)
    code, printed = full.command("deliveries", "cancel", id)
    assert (code, "it is cancelled" in printed) == (1, True)
    assert "no content to send" in full.command("deliveries", "resend", id)[1]
    assert "cancelled while it was put off by anna: a wrong price" in full.command("deliveries", "show", id)[1]
    (entry, *_) = full.run(full.store.acts.audit(1))
    assert (entry.act, entry.what, entry.before, entry.by) == ("cancel", f"delivery {id}", "put-off", "anna")
    resume(full)
    assert len(deliver_all(full)) == 7
    (cancelled,) = full.run(full.reader.deliveries([id]))
    assert cancelled.state is DeliveryState.CANCELLED


def test_cancelled_by_two_or_made_meanwhile_it_is_done_once(full):
    store, anna = full.store, Author(by="anna")
    id = put_off_id(full)
    found = full.run(store.put_off.find_all([id]))[id]
    assert [full.run(store.put_off.cancel(found, anna)) for _ in range(2)] == ["done", "gone"]
    (first,) = full.run(store.put_off.next("books", 1))
    resume(full)
    full.settle(Outcome.DELIVERED, "books")
    make(full)
    assert full.run(store.put_off.cancel(first, anna)) == "gone"
    (made,) = full.run(full.reader.deliveries([first.id]))
    assert made.state is DeliveryState.PENDING


def test_many_that_are_put_off_are_given_up_by_their_ids(full):
    listed = [one.id for one in full.run(full.store.put_off.next("books", 9))]
    author = Author(by="anna", why="they were closed")
    came = full.run(act_on_deliveries(full.store, [*listed[:3], listed[0], "nobody"], Act.CANCEL, author))
    assert [one.result for one in came] == ["done", "done", "done", "done", "gone"]
    assert counts(full) == (3, 2)
    again = full.run(act_on_deliveries(full.store, listed[:3], Act.CANCEL, author))
    assert [one.result for one in again] == ["cancelled"] * 3, "nothing is done twice"
    (story,) = full.run(full.reader.deliveries(listed[:1]))
    assert (story.state, "by anna: they were closed" in story.reason) == (DeliveryState.CANCELLED, True)


def finish_action(full, id: str):
    """Work an action off, and nothing else: what is put off stays so. Returns the action."""
    full.run(full.store.client.zrem(full.store.keys.due("jobs"), "put-off"))
    work_off(full.run, full.store, full.config)
    return full.run(read_action(full.store, id))


@pytest.mark.parametrize(
    ("filters", "would", "left"),
    [
        ({"state": "put-off"}, 5, (3, 0)),
        ({"sink": "books"}, 8, (0, 0)),
        ({"state": "pending", "sink": "books"}, 3, (0, 5)),
    ],
)
def test_what_a_filter_finds_is_given_up_by_an_action_that_counts_it_before(full, filters, would, left):
    request = ActionRequest(kind=ActionKind.CANCEL, filter=EventFilter(**filters))
    preview = full.run(preview_action(full.reader, request))
    assert (preview.results, preview.complete) == ({"done": would}, True)
    started = full.run(start_action(full.store, full.reader, request, Author(by="anna", why="closed")))
    action = finish_action(full, started.id)
    assert (action.state, action.results) == ("done", {"done": would})
    assert counts(full) == left
    touched = full.run(read_touched(full.store, full.reader, started.id, 20)).items
    assert {one.delivery.state for one in touched} == {DeliveryState.CANCELLED}
    assert all(f"(action {started.id})" in one.delivery.reason for one in touched)


def test_an_action_that_can_do_nothing_to_it_leaves_it_alone_and_says_so(full):
    request = ActionRequest(kind=ActionKind.RESEND, filter=EventFilter(state="put-off"))
    assert full.run(preview_action(full.reader, request)).results == {"put-off": 5}
    started = full.run(start_action(full.store, full.reader, request, Author(by="anna", why="again")))
    assert finish_action(full, started.id).results == {"put-off": 5}
    assert counts(full) == (3, 5)


def test_an_action_cancels_what_is_put_off_once_also_where_its_worker_was_killed(full):
    request = ActionRequest(kind=ActionKind.CANCEL, filter=EventFilter(state="put-off"))
    started = full.run(start_action(full.store, full.reader, request, Author(by="anna")))
    (first, *_) = full.run(full.store.put_off.next("books", 9))
    author = Author(by="anna", action=started.id)
    assert [full.run(full.store.put_off.cancel(first, author)) for _ in range(2)] == ["done", "touched"]
    assert finish_action(full, started.id).results == {"done": 5}
    full.run(act_on_action(full.store, started.id, ActionAct.ABORT, author))
    assert full.run(full.store.put_off.cancel(first, author)) == "stopped"
