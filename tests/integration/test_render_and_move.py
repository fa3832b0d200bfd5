"""Deliveries are rendered anew by today's routes, and moved from a sink that left the configuration."""

import pytest

from relay.model import DeliveryState, Outcome

YAML = """
sources:
  acme: {{type: amocrm, token: a-token-of-sixteen}}
sinks:
  {sink}: {{type: http, idempotency: honoured, url: "http://books.test/"}}
  console: {{type: log}}
routes:
  - {{name: books, on: {on}, {once}to: {sink}, body: {{title: "{title}"}}}}
"""


def configure(relay, sink: str = "books", on: str = "add_lead", title: str = "{{ lead.name }}", once: str = "") -> None:
    relay.configure(YAML.format(sink=sink, on=on, title=title, once=once))


@pytest.fixture
def dead(relay) -> str:
    """Return a dead letter of the sink books."""
    configure(relay, title="wrong")
    relay.accept_leads(7)
    (delivery,) = relay.settle(Outcome.REJECTED, "books")
    return delivery.id


def test_a_delivery_is_rendered_anew_and_leaves_under_another_key(relay, dead):
    configure(relay, title="{{ lead.name }}")
    code, printed = relay.command("deliveries", "resend", "--render", dead, "--by", "anna")
    assert (code, printed) == (0, f"{dead}: rendered anew, will be sent under a new key\n")
    (again,) = relay.settle(Outcome.DELIVERED, "books")
    assert (again.id, again.key, b"lead 7" in again.content) == (dead, f"{dead}-1", True)
    assert "rendered anew and resent by anna" in relay.command("deliveries", "show", dead)[1]


def test_the_same_bytes_leave_under_the_same_key(relay, dead):
    configure(relay, title="{{ lead.name }}")
    relay.command("deliveries", "resend", dead)
    (again,) = relay.settle(Outcome.DELIVERED, "books")
    assert (again.key, b"wrong" in again.content) == (dead, True)


def test_what_was_never_rendered_is_sent_once_its_template_is_mended(relay):
    configure(relay, title="{{ lead.custom['no such'] }}")
    (receipt,) = relay.accept_leads(7)
    (delivery,) = relay.deliveries(receipt)
    assert delivery.state is DeliveryState.DEAD
    assert "cannot render it either" in relay.command("deliveries", "resend", "--render", delivery.id)[1]
    configure(relay, title="{{ lead.name }}")
    assert relay.command("deliveries", "resend", "--render", delivery.id)[0] == 0
    assert b"lead 7" in relay.settle(Outcome.DELIVERED, "books")[0].content


def test_what_today_s_routes_do_not_make_is_refused_with_the_command_that_says_why(relay, dead):
    configure(relay, on="delete_lead")
    code, printed = relay.command("deliveries", "resend", "--render", dead)
    assert (code, "today's routes make no such delivery: `relay explain r0000.0` says why" in printed) == (1, True)


def test_what_is_delivered_or_not_there_is_not_rendered_anew(relay, dead):
    relay.command("deliveries", "resend", dead)
    assert "it is pending: only a held" in relay.command("deliveries", "resend", "--render", dead)[1]
    relay.settle(Outcome.DELIVERED, "books")
    assert "it is delivered: only a held" in relay.command("deliveries", "resend", "--render", dead)[1]
    assert "there is no such delivery" in relay.command("deliveries", "resend", "--render", "nothing")[1]


@pytest.mark.parametrize("once", ["", 'once: "{{ lead.id }}", '])
def test_what_a_removed_sink_left_is_moved_and_routing_it_again_makes_nothing(relay, once):
    configure(relay, once=once)
    receipts = relay.accept_leads(7, 8, 9)
    waits, held, died = (delivery.id for delivery in relay.deliveries(*receipts))
    relay.run(relay.store.client.zadd(relay.store.keys.due("sink:books"), {waits: 2e12}))
    relay.settle(Outcome.UNKNOWN, "books")
    relay.command("deliveries", "resend", died)
    relay.settle(Outcome.REJECTED, "books")
    configure(relay, sink="ledger", once=once)
    code, printed = relay.command("deliveries", "move", waits, held, died, "--to", "ledger", "--by", "anna")
    assert (code, printed.count("moved\n")) == (0, 3)
    moved = relay.deliveries(*receipts)
    assert [(one.sink, one.state) for one in moved] == [("ledger", "pending"), ("ledger", "held"), ("ledger", "dead")]
    assert "moved from books to ledger by anna" in relay.command("deliveries", "show", held)[1]
    relay.route_again(*receipts)
    assert relay.deliveries(*receipts) == moved
    relay.command("deliveries", "retry", waits)
    assert [one.id for one in relay.settle(Outcome.DELIVERED, "ledger")] == [waits]


@pytest.mark.parametrize(
    ("to", "line"),
    [
        ("ledgr", "unknown sink ledgr, did you mean ledger?"),
        ("console", "its content is for a sink of another type"),
        ("ledger", "its event has a delivery to that sink already"),
    ],
)
def test_what_cannot_be_moved_is_refused_in_a_line(relay, dead, to, line):
    configure(relay, sink="ledger")
    relay.route_again("r0000")
    code, printed = relay.command("deliveries", "move", dead, "--to", to)
    assert (code, line in printed) == (1, True)
    assert relay.run(relay.reader.deliveries([dead]))[0].sink == "books"


def test_what_a_configured_sink_has_is_not_moved(relay, dead):
    configure(relay)
    code, printed = relay.command("deliveries", "move", dead, "--to", "books")
    assert (code, "its sink books is in the configuration: mend it there" in printed) == (1, True)


def test_what_was_delivered_is_not_moved(relay, dead):
    relay.command("deliveries", "resend", dead)
    relay.settle(Outcome.DELIVERED, "books")
    configure(relay, sink="ledger")
    assert "it is delivered: only a pending" in relay.command("deliveries", "move", dead, "--to", "ledger")[1]
