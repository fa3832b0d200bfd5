"""What the commands print that act on deliveries, and that list what waits for a person."""

import shlex

import pytest

from relay.model import Outcome
from relay.store.requests import sink_claim_request
from tests.integration.scripted_sink import queue_deliveries
from tests.integration.store.shapes import settlement


@pytest.fixture
def settled(run, store):
    """Settle a delivery of the sink books with each of these outcomes. Returns their ids."""

    def bring(*outcomes: Outcome) -> list[str]:
        run(store.register_sinks({"books": "http"}))
        queue_deliveries(run, store, [b"{}"] * len(outcomes))
        items = run(store.claim_deliveries(sink_claim_request("books", "w1", 100, 60_000, 0, []))).items
        settled = [settlement(delivery, outcome) for delivery, outcome in zip(items, outcomes, strict=True)]
        run(store.settle("books", settled, {}))
        return [delivery.id for delivery in items]

    return bring


def test_a_person_acts_and_the_audit_shows_it(command, settled):
    held, dead = settled(Outcome.UNKNOWN, Outcome.REJECTED)
    assert held in command("held", "list")[0]
    assert dead not in command("held", "list")[0]
    assert command("deliveries", "confirm", held, "--by", "anna")[0] == f"{held}: delivered\n"
    assert command("dead", "resend", dead, "--by", "anna", "--why", "mended")[0] == f"{dead}: will be sent again\n"
    assert len(command("dead", "list")[0].splitlines()) == 1
    _, resent, confirmed = command("audit")[0].splitlines()
    assert [*resent.split()[-6:]] == ["anna", "resend", "delivery", dead, "dead", "mended"]
    assert [*confirmed.split()[-5:]] == ["anna", "confirm", "delivery", held, "held"]


def test_the_audit_goes_on_where_it_stopped(command, settled):
    ids = settled(*[Outcome.REJECTED] * 3)
    command("dead", "cancel", *ids)
    shown, going_on = command("audit", "--limit", "2")
    assert len(shown.splitlines()) == 1 + 2
    rest, end = command(*shlex.split(going_on.splitlines()[-1])[1:])
    assert (len(rest.splitlines()), ids[0] in rest, end) == (1 + 1, True, "")


def test_dead_letters_are_listed_in_pages(command, settled):
    ids = settled(*[Outcome.REJECTED] * 3)
    shown, going_on = command("dead", "list", "--limit", "2", "--sink", "books")
    rest, _ = command(*shlex.split(going_on.splitlines()[-1])[1:])
    assert all(id in shown + rest for id in ids)
    assert going_on.splitlines()[-1].startswith("relay dead list --sink books --limit 2 --after ")
