"""A person pauses a sink and lets it go on; its gate's history tells all that became of it."""

import json

import pytest

from relay.model import DeliveryState, Outcome
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import settlement

YAML = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
sinks:
  books: {type: http, url: "http://books.test/"}
routes:
  - {name: books, on: add_lead, to: books, body: {title: "{{ lead.name }}"}}
"""


@pytest.fixture
def books(relay):
    """Return a relay with a delivery that waits for the sink books."""
    relay.configure(YAML)
    relay.accept_leads(7)
    return relay


def pause(relay, *more: str) -> tuple[int, str]:
    return relay.command("sinks", "pause", "books", "--why", "they move house", "--by", "anna", *more)


def test_a_paused_sink_gets_nothing_until_it_is_resumed(books):
    assert pause(books) == (0, "books: paused until `relay sinks resume books`; its deliveries wait\n")
    assert books.settle(Outcome.DELIVERED, "books") == []
    assert books.command("sinks", "resume", "books") == (0, "books: open; what waits leaves now, at its rate\n")
    assert len(books.settle(Outcome.DELIVERED, "books")) == 1


def test_everybody_who_looks_is_told_who_paused_it_and_why(books):
    pause(books)
    assert (
        "waits for `relay sinks resume books`, it is paused by anna: they move house"
        in books.command("deliveries", "list")[1]
    )
    for command in (("stats", "--over", "0.1"), ("sinks", "list"), ("sinks", "show", "books")):
        printed = books.command(*command)[1]
        assert all(text in printed for text in ("paused since ", " by anna: they move house"))
    assert "do:    relay sinks resume books" in books.command("doctor")[1]
    assert json.loads(books.command("sinks", "list", "--json")[1])[0]["gate"]["paused_why"] == "they move house"


def test_a_pause_ends_by_itself_at_its_end(books):
    assert "paused until 20" in pause(books, "--until", "1h")[1]
    gate = books.store.keys.gate("sink:books")
    assert books.settle(Outcome.DELIVERED, "books") == []
    wakes = books.run(books.store.client.zscore(books.store.keys.wake, "sink:books"))
    assert wakes == int(books.run(books.store.client.hget(gate, "paused_until")))
    books.run(books.store.client.hset(gate, "paused_until", 1))
    assert len(books.settle(Outcome.DELIVERED, "books")) == 1
    assert "resumed: its end has come" in books.command("sinks", "show", "books")[1]


def test_a_gate_that_answers_closed_is_opened_by_a_person_who_mended_it(books):
    (item,) = books.run(books.store.claim_deliveries(sink_claim_request("books", "w", 9, 60_000, 0, []))).items
    blocked = settlement(item, Outcome.BLOCKED, gate_ms=60_000, delay_ms=0, gate_sure=True, reason="401")
    books.run(books.store.settle("books", [blocked], {}))
    assert books.settle(Outcome.DELIVERED, "books") == []
    resumed = books.command("sinks", "resume", "books", "--why", "the key is right now", "--by", "anna")
    assert resumed == (0, "books: open; what waits leaves now, at its rate\n")
    assert len(books.settle(Outcome.DELIVERED, "books")) == 1
    closed, opened = books.command("sinks", "show", "books")[1].splitlines()[-2:]
    assert closed.endswith("closed: 401")
    assert opened.endswith("opened by anna: the key is right now")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("pause", "book", "--why", "x"), "unknown sink book, did you mean books?"),
        (("resume", "book"), "unknown sink book, did you mean books?"),
        (("show", "book"), "unknown sink book, did you mean books?"),
        (("resume", "books"), "books: it is not paused, and its gate is open"),
        (("pause", "sub-7", "--why", "x"), "unknown sink sub-7, known: books"),
        (("pause", "books", "--why", "x", "--until", "2020-01-01"), "would be over already"),
        (("pause", "books", "--why", "x", "--until", "soon"), "write 15m, 2h or 3d (from now)"),
        (("pause", "books"), "Missing option '--why'"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(books, monkeypatch, arguments, line):
    monkeypatch.setenv("COLUMNS", "200")
    code, printed = books.command("sinks", *arguments)
    assert (code > 0, line in printed) == (True, True), printed


def test_a_subscriber_is_paused_and_resumed_like_any_sink(books):
    books.run(books.store.registry.add_sinks({"sub-7": "subscriber"}))
    paused = books.command("sinks", "pause", "sub-7", "--why", "they move house", "--by", "anna")
    assert paused == (0, "sub-7: paused until `relay sinks resume sub-7`; its deliveries wait\n")
    assert "do:    relay sinks resume sub-7" in books.command("doctor")[1]
    assert books.command("sinks", "resume", "sub-7")[0] == 0


def test_a_subscriber_whose_subscription_is_disabled_is_enabled_and_not_resumed(books):
    subscriptions = books.store.subscriptions
    id = books.run(subscriptions.subscribe("acme", "http://app.test/", ["add_lead"], "")).id
    sink = f"sub-{id}"
    books.run(books.store.registry.add_sinks({sink: "subscriber"}))
    books.command("sinks", "pause", sink, "--why", "they move house", "--by", "anna")
    books.run(subscriptions.disable(id, "410"))
    line = f"{sink}: its subscription is disabled (410), so nothing leaves: `relay subscriptions enable {id}`"
    for act in (("pause", sink, "--why", "x"), ("resume", sink)):
        code, printed = books.command("sinks", *act)
        assert (code, line in printed) == (1, True), printed
    books.run(subscriptions.enable(id))
    assert "gate open" in books.command("sinks", "show", sink)[1]


def test_a_second_person_is_told_who_paused_it_first(books):
    pause(books)
    code, printed = books.command("sinks", "pause", "books", "--why", "me too", "--by", "boris")
    assert (code, printed) == (1, "books: it is paused already, by anna: they move house")
    books.command("sinks", "resume", "books", "--by", "boris")
    assert books.command("sinks", "resume", "books")[0] == 1
    _, resumed, paused = books.command("audit")[1].splitlines()
    assert resumed.split()[-5:] == ["boris", "resume", "sink", "books", "paused"]
    assert paused.split()[-8:] == ["anna", "pause", "sink", "books", "open", "they", "move", "house"]


def test_what_a_removed_sink_left_can_be_paused_and_resumed(books):
    books.configure(YAML.replace("books:", "ledger:").replace("to: books", "to: ledger"))
    assert pause(books)[0] == 0
    assert books.command("sinks", "resume", "books")[0] == 0


def test_attempts_that_were_out_settle_while_it_is_paused(books):
    (item,) = books.run(books.store.claim_deliveries(sink_claim_request("books", "w", 9, 60_000, 0, []))).items
    pause(books)
    books.run(books.store.settle("books", [settlement(item, Outcome.DELIVERED)], {}))
    assert books.run(books.reader.deliveries([item.id]))[0].state is DeliveryState.DELIVERED
