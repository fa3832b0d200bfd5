"""A list that is not at its end says how far it has looked, and prints the command that goes on."""

import json
import shlex

import pytest

from relay.operations import search
from tests.integration.scripted_sink import queue_deliveries

MANY = 45


@pytest.mark.parametrize(
    "arguments",
    [
        ["events", "list", "--limit", "20"],
        ["events", "list", "--entity", "lead:1", "--since", "1h"],
        ["deliveries", "list", "--sink", "books", "--state", "pending"],
        ["deliveries", "list", "--source", "acme", "--event", "add_lead", "--reveal"],
    ],
)
def test_the_printed_commands_lead_through_all_of_it(run, store, command, arguments):
    run(store.registry.add_sinks({"books": "http"}))
    queue_deliveries(run, store, [b"{}"] * MANY)
    seen, printed, given = [], [], ["relay", *arguments, "--json"]
    while given:
        shown, message = command(*given[1:])
        seen += [item["id"] for item in json.loads(shown)]
        printed.append(message)
        given = shlex.split(message.splitlines()[-1]) if message else []
        assert given[:3] in ([], ["relay", *arguments[:2]])
    assert (len(seen), len(set(seen))) == (MANY, MANY)
    assert len(printed) == 3
    assert printed[0].startswith(f"20 listed; looked at 20 of {MANY} ")
    assert all(option in printed[0] for option in shlex.join(arguments).split(" "))


def test_a_table_is_followed_by_how_far_it_looked(run, store, command, monkeypatch):
    queue_deliveries(run, store, [b"{}"] * MANY)
    monkeypatch.setattr(search, "MOST_COMMANDS", 20)
    monkeypatch.setattr(search, "MOST_CALLS", 1)
    shown, message = command("events", "list", "--state", "unrouted")
    assert len(shown.splitlines()) == 1
    progress, going_on = message.splitlines()
    assert progress.startswith("0 listed; looked at ")
    assert f"of {MANY} receipts, as far as 20" in progress
    assert going_on.startswith("relay events list --state unrouted --after ")


def test_a_list_at_its_end_says_nothing_more(run, store, command):
    queue_deliveries(run, store, [b"{}"] * 20)
    assert command("events", "list")[1] == command("deliveries", "list", "--state", "dead")[1] == ""
