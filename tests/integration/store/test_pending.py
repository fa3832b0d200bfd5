"""A pending delivery is found and counted wherever it waits: in its sink's queue, or in an account's for a look-up."""

from types import SimpleNamespace

import pytest

from relay.cli.display.paused import format_reason
from relay.model import CompletedLookup, DeliveryState, Outcome
from relay.operations.search import EventFilter, find_deliveries
from relay.operations.stats import measure_stats
from relay.store.acts import Act, Author
from relay.store.keys import account_queue
from relay.web.metrics.endpoint import metrics
from tests.integration.store.shapes import settlement

STUCK = 300
QUEUE = account_queue("acme")


@pytest.fixture
def stuck(run, store, given) -> list[str]:
    """Return deliveries that wait for a look-up, and have never been claimed."""
    run(store.registry.add_sinks({"books": "http", "sms": "smsc"}))
    return [*given.waiting_for_lookups(100), *given.waiting_for_lookups(100), *given.waiting_for_lookups(100)]


@pytest.fixture
def pending(run, reader):
    """Find pending deliveries."""

    def find(**filters):
        filters = {"state": DeliveryState.PENDING, "limit": 2 * STUCK, **filters}
        return run(find_deliveries(reader, EventFilter(**filters))).items

    return find


@pytest.fixture
def scrape(run, reader):
    """Read the metrics of a relay that has a source with an api, which no worker has checked yet."""
    config = SimpleNamespace(
        sources=["acme", "quiet"],
        sources_with_api=["acme", "quiet"],
        version="v1",
        findings=(),
        sinks={},
        retention=None,
    )
    live = SimpleNamespace(config=config, error=None)

    def lines() -> list[str]:
        return run(metrics(reader, live)(None)).body.decode().splitlines()

    return lines


def test_those_that_wait_for_a_look_up_are_listed_as_pending_with_the_reason(stuck, pending):
    found = pending()
    assert {one.id for one in found} == set(stuck)
    assert {(one.reason, one.needs_lookup) for one in found} == {("waits for a look-up of contacts", True)}
    assert len(pending(sink="books")) == STUCK
    assert pending(sink="sms") == []


def test_stats_count_them_at_their_sink_and_at_the_account(run, reader, stuck):
    stats = run(measure_stats(reader, 0.1))
    books, sms = sorted((one.state for one in stats.sinks), key=lambda sink: sink.name)
    assert (books.waiting, books.looking_up, books.in_flight, sms.waiting) == (STUCK, STUCK, 0, 0)
    assert books.oldest_pending_ms > 0
    (account,) = stats.accounts
    assert (account.source, account.waiting, account.in_flight) == ("acme", STUCK, 0)
    assert account.oldest_due_ms > 0


def test_metrics_count_them_though_no_worker_has_checked_the_source(scrape, stuck):
    lines = scrape()
    assert f'relay_queue_depth{{queue="{QUEUE}",state="waiting"}} {STUCK}.0' in lines
    assert 'relay_queue_depth{queue="account:quiet",state="waiting"} 0.0' in lines
    assert f'relay_sink_deliveries{{sink="books",state="waiting"}} {STUCK}.0' in lines


def test_one_that_is_being_looked_up_waits_for_its_sink_still(run, store, reader, given):
    run(store.registry.add_sinks({"books": "http"}))
    given.waiting_for_lookups(2)
    run(store.claim_lookups(QUEUE, "f1", 1, 60_000))
    (books,) = run(reader.sinks())
    assert (books.waiting, books.looking_up, books.in_flight) == (2, 2, 0)


def test_a_refused_look_up_shows_at_the_account_why(run, store, reader, given):
    given.waiting_for_lookups()
    (delivery,) = run(store.claim_lookups(QUEUE, "f1", 1, 60_000)).items
    refused = settlement(delivery, Outcome.BLOCKED, gate_ms=60_000, delay_ms=60_000, reason="401")
    run(store.postpone_lookups(QUEUE, [refused], asked=True))
    (account,) = run(reader.accounts())
    assert (account.waiting, account.oldest_due_ms, account.gate.reason) == (1, None, "401")


def test_what_a_closed_gate_keeps_back_says_so_and_when_it_may_leave(run, store, reader, given, look):
    first, second = given.waiting_for_lookups(2)
    claimed = run(store.claim_lookups(QUEUE, "f1", 1, 60_000)).items[0]
    other = second if claimed.id == first else first
    refused = settlement(claimed, Outcome.BLOCKED, gate_ms=60_000, gate_sure=True, delay_ms=60_000, reason="401")
    run(store.postpone_lookups(QUEUE, [refused], asked=True))
    (account,) = run(reader.accounts())
    assert (look(other).closed, look(other).due_at) == ("401", account.gate.until)
    assert format_reason(look(other)) == "waits for a look-up of contacts; the gate is closed: 401"
    assert format_reason(look(claimed.id)) == "401"


def test_they_are_pending_until_they_end_whatever_happens_in_between(run, store, given, pending):
    (id,) = given.waiting_for_lookups()
    (delivery,) = run(store.claim_lookups(QUEUE, "f1", 1, 60_000)).items
    run(store.registry.add_sinks({"books": "http"}))
    run(store.complete_lookups(QUEUE, [CompletedLookup(delivery=delivery, content=b"x")]))
    assert [one.id for one in pending()] == [id]
    (sent,) = given.claim().items
    given.settled(sent, Outcome.UNKNOWN)
    assert pending() == []
    assert run(store.acts.act_on_delivery(id, Act.RESEND, Author(by="anna"))).code == "done"
    assert [one.id for one in pending()] == [id]
    given.settled(*given.claim("w2").items, Outcome.DELIVERED, 2)
    assert pending() == []


def test_an_account_that_is_asked_for_is_shown_though_nothing_waits(run, reader):
    assert run(reader.accounts()) == []
    assert [one.source for one in run(reader.accounts(["acme"]))] == ["acme"]
