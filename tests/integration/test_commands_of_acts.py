"""What the commands print that act on deliveries, and that list what waits for a person."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from relay.cli import app
from relay.model import Outcome
from relay.store.requests import sink_claim_request
from tests.integration.scripted_sink import queue_deliveries
from tests.integration.store.shapes import settlement


@pytest.fixture
def settled(run, store):
    """Settle a delivery of the sink books with each of these outcomes. Returns their ids."""

    def bring(*outcomes: Outcome) -> list[str]:
        run(store.registry.add_sinks({"books": "http"}))
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


def test_what_an_act_came_to_is_told_to_programs(command, settled):
    held, dead = settled(Outcome.UNKNOWN, Outcome.REJECTED)
    for group, act, id in (("held", "confirm", held), ("dead", "resend", dead), ("deliveries", "cancel", dead)):
        (told,) = json.loads(command(group, act, id, "--json")[0])
        assert (told["id"], told["done"], told["result"]) == (id, True, "done")
    paused = json.loads(command("sinks", "pause", "books", "--why", "they move", "--json")[0])
    assert paused == {"message": "books: paused until `relay sinks resume books`; its deliveries wait"}
    resumed = json.loads(command("sinks", "resume", "books", "--json")[0])
    assert resumed["message"].startswith("books: open")


def test_what_was_refused_is_told_to_programs_with_the_status(command, settled):
    (dead,) = settled(Outcome.REJECTED)
    done = CliRunner().invoke(app, ["deliveries", "confirm", dead, "nothing", "--json"])
    first, second = json.loads(done.stdout)
    assert (done.exit_code, first["done"], first["result"], second["result"]) == (1, False, "dead", "gone")
    assert done.stderr == ""


def test_the_audit_goes_on_where_it_stopped(command, settled):
    ids = settled(*[Outcome.REJECTED] * 3)
    command("dead", "cancel", *ids)
    shown, going_on = command("audit", "--limit", "2")
    assert len(shown.splitlines()) == 1 + 2
    rest, end = command(*shlex.split(going_on.splitlines()[-1])[1:])
    assert (len(rest.splitlines()), ids[0] in rest, end) == (1 + 1, True, "")


def test_the_audit_is_filtered_by_who_what_and_when(command, settled):
    first, second, third = settled(*[Outcome.REJECTED] * 3)
    command("dead", "cancel", first, third, "--by", "anna")
    command("dead", "resend", second, "--by", "boris")
    command("sinks", "pause", "books", "--why", "they move", "--by", "anna")

    def found(*options: str) -> list[str]:
        return [one["what"] for one in json.loads(command("audit", "--json", *options)[0])]

    assert found("--by", "boris") == [f"delivery {second}"]
    assert found("--act", "cancel") == [f"delivery {third}", f"delivery {first}"]
    assert found("--what", "books", "--by", "anna", "--since", "1h") == ["sink books"]
    assert found("--until", "1h") == found("--by", "nobody") == []
    assert len(found("--since", "1h")) == 4
    _, going_on = command("audit", "--by", "anna", "--act", "cancel", "--limit", "1")
    line = going_on.splitlines()[-1]
    assert line.startswith("relay audit --by anna --act cancel --limit 1 --before ")
    rest, end = command(*shlex.split(line)[1:], "--limit", "5")
    assert (first in rest, third in rest, end) == (True, False, "")


def test_dead_letters_are_listed_in_pages(command, settled):
    ids = settled(*[Outcome.REJECTED] * 3)
    shown, going_on = command("dead", "list", "--limit", "2", "--sink", "books")
    rest, _ = command(*shlex.split(going_on.splitlines()[-1])[1:])
    assert all(id in shown + rest for id in ids)
    assert going_on.splitlines()[-1].startswith("relay dead list --sink books --limit 2 --after ")
