"""`relay deliveries confirm|resend` and `relay sinks probe`, against a real store and UniSender's fake."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from relay.cli import app
from relay.model import DeliveryState
from tests.integration.scripted_sink import ScriptedSink, drain, queue_deliveries
from tests.integration.test_unisender import UnisenderServer

YAML = """
sources:
  acme: {{type: amocrm, token: a-token-of-sixteen}}
sinks:
  newsletter: {{type: unisender, api_key: a-key, list_ids: [20547], double_optin: 3, url: "{url}"}}
  strangers: {{type: unisender, api_key: wrong-key, list_ids: [20547], double_optin: 3, url: "{url}"}}
  console: {{type: log}}
  books: {{type: http, url: "http://127.0.0.1:1", idempotency: honoured}}
  ledger: {{type: http, url: "http://127.0.0.1:1"}}
  archive: {{type: http, url: "http://127.0.0.1:1", method: PUT}}
routes: []
"""


@pytest.fixture
def relay(server, namespace, monkeypatch, tmp_path):
    """Run a command on the test's store; return its exit status and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("RELAY_NAMESPACE", namespace)
    monkeypatch.setenv("RELAY_CONFIG", "relay.yaml")

    def run(*args):
        done = CliRunner().invoke(app, args)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    return run


@pytest.fixture
def held(run, store, namespace):
    """Hold a delivery for a person to decide; return its id."""
    (id,) = queue_deliveries(run, store, [b"{}"])
    run(drain(store, namespace, ScriptedSink(sends=["unknown"], on_unknown="hold")))
    return id


@pytest.mark.parametrize(
    ("command", "state", "printed", "reason"),
    [
        ("confirm", DeliveryState.DELIVERED, "delivered", "confirmed by anna"),
        ("resend", DeliveryState.PENDING, "will be sent again", "resent by anna"),
    ],
)
def test_a_person_decides_and_the_story_names_that_person(run, reader, held, relay, command, state, printed, reason):
    assert relay("deliveries", command, held, "--by", "anna") == (0, f"{held}: {printed}\n")
    (found,) = run(reader.deliveries([held]))
    assert (found.state, run(reader.story(held))[-1].reason) == (state, reason)


def test_a_refusal_is_printed_for_its_id_and_the_others_are_done(held, relay):
    status, output = relay("deliveries", "confirm", "nothing", held)
    first, second = output.splitlines()
    assert first.startswith("nothing: there is no such delivery")
    assert (status, second) == (1, f"{held}: delivered")


@pytest.fixture
def probe(run, relay, tmp_path):
    """Probe sinks of a configuration while the fake is there."""
    unisender = UnisenderServer()

    def go(*args):
        async def probing():
            async with unisender.open() as url:
                (tmp_path / "relay.yaml").write_text(YAML.format(url=url))
                return await asyncio.to_thread(relay, "sinks", "probe", *args)

        return run(probing())

    return go


def test_a_probe_says_of_each_sink_what_is_wrong(probe):
    status, output = probe("--json")
    answers = {sink["sink"]: (sink["ok"], sink["said"]) for sink in json.loads(output)}
    assert status == 1
    assert answers["newsletter"] == (True, "the key is valid, contacts go to 20547 (Newsletter)")
    assert answers["strangers"][0] is False
    assert "the api_key is not valid" in answers["strangers"][1]
    assert answers["console"] == answers["archive"] == (None, "it has no free call")
    assert answers["books"] == (None, "it has no free call; idempotency: honoured")
    assert answers["ledger"][1].startswith("it has no free call; idempotency is missing, so what may")


def test_one_sink_can_be_probed_alone(probe):
    status, output = probe("newsletter")
    assert status == 0
    assert "strangers" not in output
    assert "contacts go to 20547 (Newsletter)" in output


def test_an_unknown_sink_is_answered_with_those_there_are(relay, tmp_path):
    (tmp_path / "relay.yaml").write_text(YAML.format(url="http://127.0.0.1:1"))
    done = CliRunner().invoke(app, ["sinks", "probe", "newsleter"])
    assert "did you mean newsletter" in str(done.exception)
