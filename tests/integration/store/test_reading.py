"""Reading shows the store to people, and changes nothing."""

import pytest

from relay.errors import StoreUnavailable
from relay.model import Outcome
from relay.store.connect import connect
from relay.store.gate import Gate
from relay.store.keys import INBOX, sink_queue
from relay.store.reader import Reader
from relay.store.requests import sink_claim_request
from relay.store.sink_states import SINKS_AT_ONCE
from relay.store.store import Store
from tests.integration.store.shapes import hook, ids_in_queue


class TestReceipts:
    """Receipts, by their arrival."""

    def test_the_newest_come_first_and_only_so_many(self, run, reader, given, until):
        ids = []
        for _ in range(3):
            ids += given.accepted()
            at = run(reader.now())
            until(lambda at=at: run(reader.now()) > at)
        times = [receipt.received_at for receipt in run(reader.receipts(ids))]
        assert run(reader.newest_receipts(2)) == [ids[2], ids[1]]
        assert run(reader.newest_receipts(9, since=times[1])) == [ids[2], ids[1]]

    def test_those_that_are_gone_are_left_out(self, run, reader, given):
        (there,) = given.accepted()
        assert [receipt.id for receipt in run(reader.receipts(["gone", there]))] == [there]
        assert run(reader.receipts([])) == []
        assert run(reader.raw_receipt("gone")) is None


class TestDeliveries:
    """Deliveries, and their state now."""

    def test_those_that_are_gone_are_left_out(self, run, reader, given):
        (there,) = given.pending()
        assert [delivery.id for delivery in run(reader.deliveries(["gone", there]))] == [there]
        assert run(reader.deliveries(["gone"])) == run(reader.deliveries([])) == []

    def test_each_with_where_it_is(self, run, reader, given):
        flying = given.leased()
        (waiting,) = given.pending(sink="ledger")
        seen = {delivery.id: delivery for delivery in run(reader.deliveries([waiting, flying.id]))}
        assert (seen[waiting].in_flight, seen[waiting].due_at) == (False, seen[waiting].created_at)
        assert (seen[flying.id].in_flight, seen[flying.id].due_at) == (True, None)

    def test_one_without_attempts_has_no_story(self, run, reader, given):
        (id,) = given.pending()
        assert run(reader.story(id)) == []

    def test_a_queue_lists_what_flies_waits_is_held_and_died(self, run, reader, given):
        dead, held, flying = given.claimed(3)
        (waiting,) = given.pending()
        given.settled(dead, Outcome.REJECTED)
        given.settled(held, Outcome.UNKNOWN)
        assert run(ids_in_queue(reader, "books")) == [flying.id, waiting, held.id, dead.id]


class TestSinks:
    """Sinks, with what is in their queues and their gates."""

    def test_registered_ones_are_shown_with_what_they_hold(self, run, store, reader, given):
        run(store.registry.add_sinks({"books": "http", "sms": "smsc"}))
        dead, held, _flying = given.claimed(3)
        given.pending(2)
        given.settled(held, Outcome.UNKNOWN)
        given.settled(dead, Outcome.REJECTED)
        books, sms = sorted(run(reader.sinks()), key=lambda sink: sink.name)
        assert (books.name, books.type) == ("books", "http")
        assert (books.waiting, books.in_flight, books.held, books.dead) == (2, 1, 1, 1)
        assert 0 <= books.oldest_due_ms < 60_000
        assert (sms.waiting, sms.in_flight, sms.held, sms.dead, sms.oldest_due_ms, sms.gate) == (
            0,
            0,
            0,
            0,
            None,
            Gate(),
        )

    def test_the_gate_is_shown(self, run, store, reader, given):
        run(store.registry.add_sinks({"books": "http"}))
        given.settled(given.leased(), Outcome.BLOCKED, gate_ms=60_000, delay_ms=60_000, reason="нет денег")
        (books,) = run(reader.sinks())
        now = run(reader.now())
        assert (books.gate.reason, books.gate.paused, books.gate.routes) == ("нет денег", False, {})
        assert books.gate.since <= now < books.gate.closed_until(now)
        assert (books.waiting, books.oldest_due_ms) == (1, None)  # nothing may be taken
        assert 0 <= books.oldest_pending_ms < 60_000

    def test_one_that_left_the_configuration_is_still_shown(self, run, store, reader, given):
        run(store.registry.add_sinks({"books": "http"}))
        given.pending()
        run(store.registry.add_sinks({"sms": "smsc"}))
        run(store.registry.add_sinks({}))
        assert {sink.name: sink.waiting for sink in run(reader.sinks())} == {"books": 1, "sms": 0}

    def test_none_registered_are_none(self, run, reader):
        assert run(reader.sinks()) == []

    def test_of_very_many_some_are_read_at_a_time_so_that_they_hold_up_nobody(self, run, store, reader, spent):
        names = [f"sink{n}" for n in range(2 * SINKS_AT_ONCE + 1)]
        run(store.registry.add_sinks(dict.fromkeys(names, "http"), dict.fromkeys(names, 7)))
        spent()
        found = run(reader.sinks())
        scripts, _ = spent()
        assert sorted(sink.name for sink in found) == sorted(names)
        assert {(sink.type, sink.max_pending) for sink in found} == {("http", 7)}
        assert scripts == 3

    def test_one_that_nothing_waits_for_costs_two_commands(self, run, store, reader, given, spent):
        given.settled(given.leased(), Outcome.DELIVERED)
        run(store.registry.add_sinks({"books": "http"}))
        spent()
        assert run(reader.sinks())[0].outcomes.attempts == 1
        _, few = spent()
        run(store.registry.add_sinks({f"sink{n}": "http" for n in range(10)}))
        spent()
        run(reader.sinks())
        _, commands = spent()
        assert commands == few + 2 * 10


class TestDepths:
    """How many wait and are being worked on."""

    def test_inbox_and_jobs(self, run, store, reader, given):
        given.taken()
        given.accepted(2)
        for n in range(3):
            run(store.enqueue_job(f"j{n}", "retention"))
        run(store.claim_jobs("w", 1, 60_000))
        assert run(reader.inbox()) == (2, 1)
        assert run(reader.jobs()) == (2, 1)

    def test_counters_are_split_into_their_words(self, run, reader, given):
        given.settled(given.leased(), Outcome.DELIVERED)
        assert run(reader.counters()) == {
            ("receipt", "acme", "accepted"): 1, ("bytes", "acme"): 5, ("receipt", "acme", "routed"): 1,
            ("event", "acme", "add_lead"): 1, ("delivery", "books", "created"): 1, ("route", "invoices", "pending"): 1,
            ("attempt", "books", "delivered"): 1, ("delivery", "books", "delivered"): 1,
        }  # fmt: skip

    def test_the_clock_is_the_store_s(self, run, store, reader, given):
        before = run(reader.now())
        (id,) = given.accepted()
        assert before <= run(reader.receipts([id]))[0].received_at <= run(reader.now())


def test_two_relays_on_one_server_do_not_meet(run, store, server, given):
    given.pending()
    other = Store(store.client, "other")
    run(other.accept([hook("r0000", b"0000")]))
    reader = Reader(store.client, "other")
    assert run(reader.inbox()) == (1, 0)
    assert run(other.claim_deliveries(sink_claim_request("books", "w", 9, 60_000, 0, []))).items == []
    assert run(store.look("w1")).queues == [sink_queue("books")]
    run(store.clear_bell(INBOX))
    assert run(other.look("w1")).queues == []  # its bell is set, whoever heard the other one's
    run(store.client.delete(*run(store.client.keys("{other}:*"))))


def test_reading_changes_nothing(run, store, reader, given):
    run(store.registry.add_sinks({"books": "http"}))
    flying = given.leased()
    given.pending()

    async def everything():
        keys = sorted(await store.client.keys(store.keys.prefix + "*"))
        return [(key, await store.client.dump(key)) for key in keys]

    before = run(everything())
    ids = run(reader.newest_receipts(9))
    (seen,) = run(reader.deliveries([flying.id]))
    for reading in (
        reader.receipts(ids), reader.raw_receipt(ids[0]),
        reader.content(seen), reader.story(seen.id), ids_in_queue(reader, "books"),
        reader.sinks(), reader.inbox(), reader.jobs(), reader.counters(), reader.events_of("acme", "lead", "1"),
    ):  # fmt: skip
        run(reading)
    assert run(everything()) == before


def test_a_store_that_is_away_is_said_to_be_away(run, tmp_path):
    client = connect(f"unix://{tmp_path}/nobody.sock", answer_seconds=1)
    reader, store = Reader(client), Store(client)
    for asked in (
        reader.now(), reader.receipts(["r"]), reader.deliveries(["d"]), reader.sinks(), reader.story("d"),
        reader.counters(), reader.inbox(), store.accept([hook("r")]), store.look("w1"),
        store.registry.add_sinks({"a": "http"}), store.clear_bell(sink_queue("a")),
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable, match="the store cannot take it"):
            run(asked)
    run(client.aclose())
