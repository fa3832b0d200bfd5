"""A list that is not at its end says how far it has looked, and prints the command that goes on."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from relay.cli import app
from relay.operations import search
from tests.integration.scripted_sink import queue_deliveries

MANY = 45


@pytest.fixture
def relay(server, namespace, monkeypatch, tmp_path):
    """Run a command on the test's store; return what it printed on stdout and on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("RELAY_NAMESPACE", namespace)

    def run(*arguments):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        return done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["events", "list", "--limit", "20"], "id"),
        (["events", "list", "--entity", "lead:1", "--since", "1h"], "id"),
        (["deliveries", "list", "--sink", "books", "--state", "pending"], "id"),
        (["deliveries", "list", "--source", "acme", "--event", "add_lead", "--reveal"], "id"),
    ],
)
def test_the_printed_commands_lead_through_all_of_it(run, store, relay, arguments, field):
    run(store.register_sinks({"books": "http"}))
    queue_deliveries(run, store, [b"{}"] * MANY)
    seen, command, printed = [], [*arguments, "--json"], []
    while command:
        shown, message = relay(*command)
        seen += [item[field] for item in json.loads(shown)]
        printed.append(message)
        name, *command = shlex.split(message.splitlines()[-1]) if message else [""]
        assert name == ("relay" if message else "")
    assert (len(seen), len(set(seen))) == (MANY, MANY)
    assert len(printed) == 3
    assert printed[0].startswith(f"20 listed; looked at 20 of {MANY} ")
    assert all(option in printed[0] for option in shlex.join(arguments).split(" "))


def test_a_table_is_followed_by_how_far_it_looked(run, store, relay, monkeypatch):
    queue_deliveries(run, store, [b"{}"] * MANY)
    monkeypatch.setattr(search, "MOST_COMMANDS", 20)
    monkeypatch.setattr(search, "MOST_CALLS", 1)
    shown, message = relay("events", "list", "--state", "unrouted")
    assert len(shown.splitlines()) == 1
    progress, command = message.splitlines()
    assert progress.startswith("0 listed; looked at ")
    assert f"of {MANY} receipts, as far as 20" in progress
    assert command.startswith("relay events list --state unrouted --after ")


def test_a_list_at_its_end_says_nothing_more(run, store, relay):
    queue_deliveries(run, store, [b"{}"] * 20)
    assert relay("events", "list")[1] == relay("deliveries", "list", "--state", "dead")[1] == ""
