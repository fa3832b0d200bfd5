"""Receipts and deliveries a minute are samples of the counters: taken once a minute, bounded, by one worker only."""

import json

import pytest

from relay.model import Outcome
from relay.operations.minutes import arrange_minutes, read_minutes
from relay.operations.problems import Problem
from relay.operations.strip import read_strip
from relay.store.minutes import KEPT, MinuteRow, Minutes, Totals

YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks: {books: {type: http, idempotency: honoured, url: "https://books.example.com"}}
routes: [{name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}]
"""


@pytest.fixture
def minutes(store) -> Minutes:
    return Minutes(store.client, store.namespace)


@pytest.fixture
def pass_minutes(run, store):
    """Let so many minutes have passed since the last sample."""

    def move(count: int) -> None:
        minute, _, totals = run(store.client.get(store.keys.totals)).partition(b"|")
        run(store.client.set(store.keys.totals, b"%d|%b" % (int(minute) - count, totals)))

    return move


def test_a_sample_has_what_was_counted_since_the_last(run, relay, minutes, pass_minutes):
    relay.configure(YAML)
    relay.accept_leads(1)
    run(minutes.sample("v1"))
    assert run(minutes.read(9)) == []  # from here on it is counted
    relay.accept_leads(2, 3)
    relay.settle(Outcome.DELIVERED, "books")
    relay.accept_leads(4)
    relay.settle(Outcome.RETRY, "books")
    pass_minutes(1)
    run(minutes.sample("v1"))
    run(minutes.sample("v1"))  # within the same minute it is nothing new
    (row,) = run(minutes.read(9))
    assert (row.over, row.config) == (1, "v1")
    assert row.counts == Totals(receipts={"acme": 3}, delivered={"books": 3}, failed={"books": 1})
    numbers = run(read_minutes(relay.reader, 15))
    assert (numbers.receipts[-1], numbers.delivered[-1], numbers.by_sink["books"][-1]) == (3, 3, 3)
    assert numbers.receipts[0] is None


def test_of_two_workers_one_writes(run, relay, minutes, pass_minutes, store):
    relay.configure(YAML)
    run(minutes.sample("v1"))
    pass_minutes(2)
    key = store.keys.totals
    known = run(store.client.get(key))
    relay.accept_leads(1)
    run(minutes.sample("v1"))
    stale = Minutes(store.client, store.namespace)

    async def knows_less() -> None:
        """Sample as a worker that read the totals before the other one wrote."""
        real = store.client.get
        store.client.get = lambda _: _return(known)
        try:
            await stale.sample("v1")
        finally:
            store.client.get = real

    run(knows_less())
    (row,) = run(minutes.read(9))
    assert (row.over, row.counts.receipts) == (2, {"acme": 1})


async def _return(value: bytes) -> bytes:
    return value


def test_no_more_are_kept_than_three_hours(run, relay, minutes, pass_minutes, store):
    run(minutes.sample("v1"))
    for _ in range(KEPT + 5):
        pass_minutes(1)
        run(minutes.sample("v1"))
    assert run(store.client.llen(store.keys.minutes)) == KEPT


def row(minute: int, over: int = 1, config: str = "v1", **receipts: int) -> MinuteRow:
    return MinuteRow(minute=minute, over=over, config=config, counts=Totals(receipts=receipts))


def test_a_sample_over_several_minutes_is_spread_and_a_gap_is_no_zero():
    numbers = arrange_minutes([row(9, acme=4), row(8, over=2, acme=6)], last=10, count=5)
    assert numbers.receipts == [None, 3, 3, 4, None]
    assert numbers.by_source == {"acme": [None, 3, 3, 4, None]}
    assert numbers.delivered == [None, 0, 0, 0, None]


def test_a_mark_stands_where_the_configuration_changed():
    numbers = arrange_minutes([row(9, config="v3"), row(8, config="v2"), row(7, config="v2")], last=9, count=3)
    assert [(mark.index, mark.version) for mark in numbers.marks] == [(2, "v3")]


def test_the_command_prints_a_line_a_minute(run, relay, minutes, pass_minutes):
    relay.configure(YAML)
    run(minutes.sample("v1"))
    relay.accept_leads(1)
    pass_minutes(1)
    run(minutes.sample("v1"))
    status, shown = relay.command("stats", "--minutes", "3")
    assert (status, len(shown.splitlines())) == (0, 4)
    assert shown.splitlines()[-1].split()[-3:] == ["1", "0", "0"]
    assert shown.splitlines()[1].split()[-3:] == ["-", "-", "-"]
    assert json.loads(relay.command("stats", "--minutes", "3", "--json")[1])["receipts"] == [None, None, 1.0]


def test_the_strip_counts_nothing_and_each_number_has_the_filter_that_lists_it(run, relay, spent):
    relay.configure(YAML)
    relay.accept_leads(*range(1, 6))
    relay.settle(Outcome.UNKNOWN, "books")
    silent = Problem(about="", grade="bad", found="", kind="source-silent", subject="acme")
    run(read_strip(relay.reader, [silent]))  # the store has its script from now on
    spent()
    strip = {one.name: one for one in run(read_strip(relay.reader, [silent]))}
    calls, commands = spent()
    assert (strip["held"].count, strip["waiting"].count, strip["silent sources"].count) == (5, 0, 1)
    assert (strip["problems"].count, strip["inbox"].count) == (1, 0)
    assert (calls, commands) == (1, 20)  # the inbox, sinks' names and bounds, the time: six; the script: fourteen
    held = relay.command("deliveries", "list", "--json", *(f"--{k}={v}" for k, v in strip["held"].filters.items()))
    assert len(json.loads(held[1])) == 5
