"""What is rare is found by an index of the newest receipts of each value, which shows what looking at all would."""

import itertools
import random

import msgspec
import pytest

from relay.model import ReceiptState
from relay.operations.search import EventFilter, find_deliveries, find_events, format_cursor, parse_cursor
from relay.store import newest
from relay.store.acts import Author
from relay.store.newest import NewestIndex
from tests.integration.store.shapes import event, hook, new, routed

FOR_EVER = 1 << 52
MANY = 1000
SEARCHES = [
    (find_events, {"event": "add_lead"}),
    (find_events, {"event": "delete_contact"}),
    (find_events, {"event": "of_no_catalogue"}),
    (find_events, {"event": "never_came"}),
    (find_events, {"source": "globex"}),
    (find_events, {"source": "never"}),
    (find_events, {"route": "texts"}),
    (find_events, {"route": "texts", "event": "add_lead", "source": "globex"}),
    (find_events, {"sink": "sms"}),
    (find_events, {"state": "unrouted"}),
    (find_events, {"state": "refused"}),
    (find_events, {"state": "accepted", "source": "globex"}),
    (find_events, {"recovered": True}),
    (find_deliveries, {"route": "texts"}),
    (find_deliveries, {"sink": "sms", "event": "delete_contact"}),
    (find_deliveries, {"source": "globex", "state": "skipped"}),
]


@pytest.fixture
def index(run, store):
    """Index what there is, in so many calls at most."""

    def index(calls: int = MANY, most: int = 50) -> None:
        for _ in range(calls):
            if not run(NewestIndex(store.client, store.namespace).index(FOR_EVER, most)):
                break

    return index


@pytest.fixture
def found(run, reader):
    """Return what all pages of a search show."""

    def found(find, limit: int, **filters) -> list[str]:
        shown, after = [], None
        for _ in range(MANY):
            page = run(find(reader, EventFilter(limit=limit, after=after, **filters)))
            shown += [one.id for one in page.items]
            if page.next is None:
                return shown
            after = parse_cursor(format_cursor(page.next))
        raise AssertionError("the list has no end")

    return found


@pytest.fixture
def history(run, store, reader, until):
    """Return a function that stores receipts of all kinds, several in a millisecond; the last are not routed yet."""
    numbers = itertools.count()

    def of(chance: random.Random, receipt) -> object:
        kind = chance.randrange(10)
        if kind == 0:
            return routed(receipt, events=[], state=ReceiptState.MALFORMED)
        if kind == 1:
            return routed(receipt, events=[], state=ReceiptState.REFUSED)
        names = chance.choices(["add_lead", "delete_contact", "of_no_catalogue"], [20, 2, 1], k=chance.randrange(1, 3))
        events = [msgspec.structs.replace(event(at), name=name) for at, name in enumerate(names)]
        if kind == 2:
            events = [msgspec.structs.replace(one, state=ReceiptState.UNROUTED) for one in events]
            return routed(receipt, events=events)
        route, sink = chance.choices([("invoices", "books"), ("texts", "sms")], [9, 1])[0]
        made = [new(f"d{next(numbers):04}", receipt.id, at, route=route, sink=sink) for at in range(len(events))]
        return routed(receipt, *made, events=events)

    def store_some(seed: int, groups: int = 8, unrouted: int = 3) -> None:
        chance = random.Random(seed)
        for group in range(groups):
            ids = [f"r{next(numbers):04}" for _ in range(chance.randrange(1, 9))]
            hooks = [hook(id, id.encode(), source=chance.choices(["acme", "globex"], [9, 1])[0]) for id in ids]
            run(store.accept([msgspec.structs.replace(one, recovered=chance.random() < 0.05) for one in hooks]))
            if group < groups - unrouted:
                receipts = run(store.claim_receipts("router", 100, 60_000)).items
                run(store.save_routed("router", [of(chance, one) for one in receipts]))
            at = run(reader.now())
            until(lambda at=at: run(reader.now()) > at)

    return store_some


@pytest.mark.parametrize("kept", [3, 500])
@pytest.mark.parametrize("calls", [1, 6, MANY])
def test_a_search_by_the_index_shows_what_one_without_it_shows(
    run, store, history, index, found, monkeypatch, kept, calls
):
    """However far the index reaches, and whether or not it keeps all that have a value."""
    monkeypatch.setattr(newest, "KEPT", kept)
    for seed in range(2):
        history(seed)
    expected = [found(find, limit, **filters) for find, filters in SEARCHES for limit in (1, 7, 100)]
    assert sum(map(bool, expected)) > len(expected) / 2
    index(calls)
    assert [found(find, limit, **filters) for find, filters in SEARCHES for limit in (1, 7, 100)] == expected
    index()
    history(5)  # and what has come since
    by_index = [found(find, 100, **filters) for find, filters in SEARCHES]
    run(store.client.delete(store.keys.newest_index))
    assert by_index == [found(find, 100, **filters) for find, filters in SEARCHES]


@pytest.mark.parametrize("bounds", [(-1, 0), (0, 1), (1, 1), (2, 0)])
def test_times_bound_it_too(run, store, reader, history, index, found, monkeypatch, bounds):
    monkeypatch.setattr(newest, "KEPT", 3)
    history(7)
    rows = run(store.client.zrange(store.keys.receipts, 0, -1, withscores=True))
    times = sorted({int(score) for _, score in rows})
    since, until = times[2] + bounds[0], times[-3] + bounds[1]
    expected = [found(find, 5, since=since, until=until, **filters) for find, filters in SEARCHES]
    index()
    assert [found(find, 5, since=since, until=until, **filters) for find, filters in SEARCHES] == expected


def test_what_is_rare_is_found_without_looking_at_the_others(run, reader, given, index, until):
    (rare,) = given.pending(route="texts", sink="sms")
    for _ in range(4):
        given.pending(100)
    at = run(reader.now())
    until(lambda: run(reader.now()) > at)
    given.pending()
    index(most=500)
    page = run(find_deliveries(reader, EventFilter(route="texts")))
    assert [one.id for one in page.items] == [rare]
    assert page.looked == 2, "and the last one in the index: others may have arrived in its millisecond"
    never = run(find_events(reader, EventFilter(event="delete_lead")))
    assert (never.looked, never.total, never.next) == (1, 1, None)


def test_it_waits_for_what_is_still_to_be_routed(run, store, reader, given, index, found, until):
    given.pending()
    (receipt,) = given.taken()
    at = run(reader.now())
    until(lambda: run(reader.now()) > at)
    given.pending()
    index()
    run(store.save_routed("router", [routed(receipt, new("d9", receipt.id, route="texts"))]))
    assert found(find_deliveries, 5, route="texts") == ["d9"]
    index()
    assert found(find_deliveries, 5, route="texts") == ["d9"]


def test_it_learns_what_a_replay_makes_of_a_receipt(run, store, reader, given, index, found, until):
    (receipt,) = given.taken()
    run(store.save_routed("router", [routed(receipt)]))
    at = run(reader.now())
    until(lambda: run(reader.now()) > at)
    given.pending()
    index()
    assert found(find_deliveries, 5, route="texts") == []
    run(store.acts.replay(routed(receipt, new("d9", receipt.id, route="texts")), Author(by="anna")))
    index()
    assert found(find_deliveries, 5, route="texts") == ["d9"]
    assert run(store.client.llen(store.keys.rerouted)) == 0


def test_what_retention_removed_leaves_it(run, store, reader, given, index, until):
    (gone,) = given.pending(route="texts", sink="sms")
    at = run(reader.now())
    until(lambda: run(reader.now()) > at)
    given.pending()
    index()
    key = store.keys.newest("route", "texts")
    assert run(store.client.zcard(key)) == 1
    receipt = run(reader.deliveries([gone]))[0].event_id.partition(".")[0]
    run(store.client.zrem(store.keys.receipts, receipt))
    try:
        index()
        assert run(store.client.exists(key)) == 0
        assert b"route:texts" not in run(store.client.smembers(store.keys.newest_values))
    finally:
        run(store.client.zadd(store.keys.receipts, {receipt: at}))


def test_a_call_does_so_much_and_no_more(run, store, reader, given, index, spent):
    given.pending(100)
    index(1)
    spent()
    index(1, most=50)
    calls, commands = spent()
    assert calls == 1
    assert commands <= 50 + 40


def test_a_call_notes_no_more_of_those_that_were_routed_anew(run, store, reader, given, index, found):
    given.pending(3)
    index()
    for n, id in enumerate(run(reader.newest_receipts(3))):
        receipt = run(reader.raw_receipt(id))
        run(store.acts.replay(routed(receipt, new(f"d9{n}", id, route="texts")), Author(by="anna")))
    index(1, most=1)
    assert run(store.client.llen(store.keys.rerouted)) == 2
    index()
    assert len(found(find_deliveries, 5, route="texts")) == 3
