"""What lists show is read by cursor: every row once, in order, and with so many commands in a call and no more."""

import itertools

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model import DeliveryState, Outcome, ReceiptState
from relay.operations import search
from relay.operations.search import EventFilter, find_deliveries, find_events, format_cursor, parse_cursor
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.wire.lists import Cursor, FindRequest
from tests.integration.store.shapes import event, new, routed

MANY = 3000


@pytest.fixture
def pages(run, reader):
    """Return all pages of a list, each the ids that it shows; `between` is called after each."""

    def read(find, limit, between=lambda: None, **filters):
        shown, after = [], None
        for _ in range(MANY):
            page = run(find(reader, EventFilter(limit=limit, after=after, **filters)))
            shown.append([item.id for item in page.items])
            if page.next is None:
                return shown
            after = parse_cursor(format_cursor(page.next))
            between()
        raise AssertionError("the list has no end")

    return read


def joined(pages):
    return list(itertools.chain.from_iterable(pages))


@pytest.fixture
def save(run, store):
    """Save what became of receipts that are taken."""

    def save(*parts):
        run(store.save_routed("router", parts))

    return save


class TestPages:
    """Pages show everything once, whatever happens between them."""

    @pytest.mark.parametrize("limit", [1, 7, 100])
    def test_receipts_of_one_millisecond_are_listed_once_each_newest_first(self, given, pages, limit):
        ids = given.accepted(60)  # one call: one time
        later = given.accepted(10)
        assert joined(pages(find_events, limit)) == [*reversed(later), *reversed(ids)]

    def test_what_comes_meanwhile_shifts_nothing(self, given, pages):
        ids = given.accepted(30)
        shown = pages(find_events, 4, between=given.accepted)
        assert joined(shown) == list(reversed(ids))

    def test_what_goes_meanwhile_loses_nothing_else(self, run, store, given, pages):
        ids = given.accepted(30)
        left = list(reversed(ids))

        def remove_the_last_shown():
            run(store.client.zrem(store.keys.receipts, *left[:5]))
            del left[:5]

        try:
            assert joined(pages(find_events, 5, between=remove_the_last_shown)) == list(reversed(ids))
        finally:
            at = run(store.client.hget(store.keys.receipt(ids[0]), "at"))
            run(store.client.zadd(store.keys.receipts, dict.fromkeys(ids, int(at))))

    def test_a_page_may_end_within_a_receipt(self, given, pages, save):
        (before, receipt) = given.taken(2)
        events = [event(n, str(n)) for n in range(120)]
        made = [new(f"d{n:03}", receipt.id, n) for n in range(120)]
        save(routed(receipt, *made, events=events), routed(before))
        shown = pages(find_events, 50)
        assert [len(page) for page in shown] == [50, 50, 21]
        assert joined(shown) == [*(f"{receipt.id}.{n}" for n in range(120)), f"{before.id}.0"]
        assert joined(pages(find_deliveries, 50)) == [one.id for one in made]

    def test_sets_of_several_sinks_are_listed_as_one(self, run, store, given, pages, until, reader):
        run(store.registry.add_sinks({"books": "http", "sms": "smsc", "list": "http", "empty": "http"}))
        died = []
        for sink in ["sms", "books", "list", "books", "sms"]:
            given.pending(sink=sink)
            (delivery,) = given.claim(sink=sink).items
            given.settled(delivery, Outcome.REJECTED)
            died.append(delivery.id)
            at = run(reader.now())
            until(lambda at=at: run(reader.now()) > at)
        assert joined(pages(find_deliveries, 2, state="dead")) == died[::-1]
        assert joined(pages(find_deliveries, 2, state="dead", sink="books")) == [died[3], died[1]]

    def test_pending_ones_are_listed_by_arrival_in_flight_or_not_or_waiting_for_a_look_up(
        self, run, store, given, pages, save
    ):
        run(store.registry.add_sinks({"books": "http"}))
        flying = given.leased()
        (waiting,) = given.pending()
        (receipt,) = given.taken()
        save(routed(receipt, new("d9", receipt.id, needs_lookup=True, content=b"")))
        assert joined(pages(find_deliveries, 1, state="pending")) == ["d9", waiting, flying.id]

    def test_a_delivery_is_listed_with_the_event_that_made_it(self, given, pages, save):
        first, second = given.taken(2)
        save(routed(first, new("d1", first.id, once=True), events=[event(0, "7")]))
        save(routed(second, new("d1", second.id, once=True), events=[event(0, "8")]))
        assert joined(pages(find_deliveries, 9)) == ["d1"]
        assert joined(pages(find_deliveries, 9, entity=("lead", "7"))) == ["d1"]
        assert joined(pages(find_deliveries, 9, entity=("lead", "8"))) == []


class TestFilters:
    """What is listed, of all that there is."""

    @pytest.fixture
    def stored(self, given, save):
        """Store receipts in every state; one that killed its worker has an event from before."""
        mixed, malformed, partly = given.taken(3)
        unrouted = event(1)
        unrouted = msgspec.structs.replace(unrouted, state=ReceiptState.UNROUTED, name="add_contact", entity="contact")
        save(
            routed(mixed, new("d1", mixed.id), new("d2", mixed.id, sink="sms"), events=[event(0, "7"), unrouted]),
            routed(malformed, events=[], state=ReceiptState.MALFORMED),
            routed(partly, new("d3", partly.id, state=DeliveryState.SKIPPED), events=[event(0, "9")],
                   state=ReceiptState.QUARANTINED),
        )  # fmt: skip
        return mixed.id, malformed.id, partly.id, *given.accepted()

    @pytest.mark.parametrize(
        ("filters", "shown"),
        [
            ({}, ["{3}", "{2}.0", "{2}", "{1}", "{0}.0", "{0}.1"]),
            ({"state": "accepted"}, ["{3}"]),
            ({"state": "quarantined"}, ["{2}"]),
            ({"state": "malformed"}, ["{1}"]),
            ({"state": "unrouted"}, ["{0}.1"]),
            ({"state": "routed"}, ["{2}.0", "{0}.0"]),
            ({"event": "add_contact"}, ["{0}.1"]),
            ({"sink": "sms"}, ["{0}.0"]),
            ({"entity": ("lead", "9")}, ["{2}.0"]),
            ({"entity": ("lead", "7"), "state": "unrouted"}, []),
            ({"entity": ("lead", "7"), "source": "acme"}, ["{0}.0"]),
            ({"entity": ("lead", "7"), "source": "other"}, []),
            ({"source": "other"}, []),
        ],
    )
    def test_of_events(self, stored, pages, filters, shown):
        assert joined(pages(find_events, 2, **filters)) == [text.format(*stored) for text in shown]

    @pytest.mark.parametrize(
        ("filters", "shown"),
        [
            ({}, ["d3", "d1", "d2"]),
            ({"sink": "books"}, ["d3", "d1"]),
            ({"state": "skipped"}, ["d3"]),
            ({"state": "pending", "sink": "sms"}, ["d2"]),
            ({"state": "pending", "sink": "sms", "event": "add_contact"}, []),
            ({"state": "pending", "sink": "sms", "event": "add_lead", "source": "acme"}, ["d2"]),
            ({"state": "pending", "sink": "sms", "source": "other"}, []),
            ({"event": "add_contact"}, []),
            ({"entity": ("lead", "7")}, ["d1", "d2"]),
            ({"entity": ("lead", "7"), "state": "pending", "sink": "sms"}, ["d2"]),
            ({"state": "held", "sink": "books"}, []),
        ],
    )
    def test_of_deliveries(self, stored, pages, filters, shown):
        assert joined(pages(find_deliveries, 2, **filters)) == shown

    @pytest.mark.parametrize("state", ["malformed", "quarantined"])
    def test_the_few_of_these_states_are_found_without_looking_at_others(self, run, reader, stored, given, state):
        given.pending(30)
        page = run(find_events(reader, EventFilter(state=state)))
        assert (len(page.items), page.looked, page.total) == (1, 1, 1)

    def test_of_times_which_count_as_inside(self, run, reader, given, pages, until):
        ids = []
        for _ in range(3):
            ids += given.pending()
            at = run(reader.now())
            until(lambda at=at: run(reader.now()) > at)
        times = [delivery.accepted_at for delivery in run(reader.deliveries(ids))]
        for found in ({"state": "pending", "sink": "books"}, {}):
            assert joined(pages(find_deliveries, 1, since=times[1], **found)) == [ids[2], ids[1]]
            assert joined(pages(find_deliveries, 1, until=times[1], **found)) == [ids[1], ids[0]]

    def test_of_times_bounds_the_arrival_of_what_died_later(self, run, reader, given, pages, until):
        early, late = given.pending()[0], None
        at = run(reader.now())
        until(lambda: run(reader.now()) > at)
        late = given.pending()[0]
        for delivery in given.claim().items:
            given.settled(delivery, Outcome.REJECTED)
        arrived = run(reader.deliveries([early]))[0].accepted_at
        assert joined(pages(find_deliveries, 9, state="dead", sink="books", until=arrived)) == [early]
        assert joined(pages(find_deliveries, 9, state="dead", sink="books", since=arrived + 1)) == [late]


class TestWork:
    """A call does so much, and a list makes so many calls, however much there is."""

    @pytest.fixture
    def many(self, run, store, given):
        run(store.registry.add_sinks({"books": "http"}))
        for _ in range(MANY // 100):
            given.pending(100)

    def test_a_list_that_finds_nothing_says_how_far_it_looked(self, run, reader, many, spent, monkeypatch):
        monkeypatch.setattr(search, "MOST_CALLS", 5)
        run(reader.find(FindRequest(kind="events", members="receipts", keys=["none"], limit=1, most=1)))  # loads it
        for find, filters in (
            (find_events, {"state": "unrouted"}),
            (find_events, {"source": "other"}),
            (find_events, {"sink": "other"}),
            (find_deliveries, {"state": "skipped"}),
            (find_deliveries, {"event": "other"}),
            (find_deliveries, {"state": "pending", "source": "other"}),
            (find_deliveries, {"state": "pending", "event": "other"}),
        ):
            spent()
            page = run(find(reader, EventFilter(**filters)))
            calls, commands = spent()
            assert calls == 5, filters
            assert commands <= 5 * (search.MOST_COMMANDS + 20), filters
            assert page.items == []
            assert 5 * search.MOST_COMMANDS / 10 <= page.looked < page.total == MANY, filters
            assert page.next is not None

    def test_a_list_that_has_taken_its_time_makes_no_further_call(self, run, reader, many, spent):
        spent()
        assert run(find_events(reader, EventFilter(state="unrouted"), 0)).next is not None
        assert spent()[0] == 1

    def test_a_page_costs_the_same_wherever_it_begins(self, run, reader, many, spent):
        first = run(find_events(reader, EventFilter(limit=10)))
        spent()
        run(find_events(reader, EventFilter(limit=10, after=first.next)))
        near, after = spent(), first.next
        for _ in range(5):
            after = run(find_events(reader, EventFilter(limit=500, after=after))).next
        spent()
        run(find_events(reader, EventFilter(limit=10, after=after)))
        far = spent()
        assert far[0] == near[0] == 1
        assert far[1] <= near[1] + 10  # a step of the search among those of one millisecond more or less

    def test_no_list_shows_more_than_is_read_in_time(self, run, reader, many):
        page = run(find_deliveries(reader, EventFilter(limit=MANY)))
        assert len(page.items) == search.MOST_LISTED
        assert page.next is not None


members = st.text(alphabet="aAbB-.~é", min_size=1, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    sets=st.lists(st.dictionaries(members, st.integers(0, 3), max_size=12), min_size=1, max_size=3),
    limit=st.integers(1, 5),
    bounds=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    at=st.tuples(st.integers(0, 4), members),
)
def test_sets_are_walked_from_any_cursor_down_by_score_and_bytes(run, server, sets, limit, bounds, at):
    """From a cursor that may be no row's; members are in one set each, as deliveries are."""
    rows = {}
    for number, one in enumerate(sets):
        rows |= {(score, f"{member}{number}".encode()): f"{{walk}}:dead:{number}" for member, score in one.items()}
    low, high = sorted(bounds)
    cursor = (at[0], at[1].encode())
    expected = [row for row in sorted(rows, reverse=True) if low <= row[0] and row < cursor]

    async def walk():
        client = connect(server.url, answer_seconds=10)
        reader = Reader(client, "walk")
        if left := await client.keys("{walk}:*"):
            await client.delete(*left)
        for (score, member), key in rows.items():
            await client.zadd(key, {member: score})
            record = {"ev": "r.0", "src": "acme", "sink": "s", "state": "dead", "acc": 1}
            await client.hset(reader.keys.delivery(member.decode()), mapping=record)
        request = FindRequest(
            kind="deliveries", members="deliveries", keys=sorted({*rows.values()}) or ["none"], limit=limit, most=99,
            highest=high, lowest=low, after=Cursor(at[0], at[1]),
        )  # fmt: skip
        found = []
        while request.after is not None:
            reply = await reader.find(request)
            found += reply.ids
            request = msgspec.structs.replace(request, after=reply.cursor)
        await client.aclose()
        return found

    assert run(walk()) == [member.decode() for _, member in expected]


@pytest.mark.parametrize("text", ["", "x", "12", "12:", ":a", "12:a b", "12:a:b", "1e3:a", "-1:a", "1:a:-1"])
def test_a_cursor_that_no_list_printed_is_refused(text):
    with pytest.raises(ValueError, match="copy it whole"):
        parse_cursor(text)
