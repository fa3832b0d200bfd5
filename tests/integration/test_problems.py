"""What needs a person is one list, with a state that people give it and one act that helps."""

import json
from types import SimpleNamespace

import pytest
from starlette.requests import Request

from relay.model import Outcome
from relay.operations.problems import ProblemState, read_problems
from relay.store.problems import ProblemNotes
from relay.web.health import readyz
from relay.web.operator_access import OperatorAccess
from workers.problem_keeper import ProblemKeeper

YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks: {books: {type: http, idempotency: honoured, url: "https://books.example.com"}}
routes: [{name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}]
"""


@pytest.fixture
def problems(run, relay):
    """Return a function that reads the problems by id, without those of the machine that tests run on."""
    relay.configure(YAML)

    def read() -> dict:
        found = run(read_problems(relay.reader, relay.config))
        return {one.id: one for one in found if one.kind not in ("store-unbounded", "store-weak", "workers-gone")}

    return read


@pytest.fixture
def keep(run, relay, server):
    """Run the job that notes which problems are open."""

    class Live:
        error = None

        @property
        def config(self):
            return relay.config

    return lambda: run(ProblemKeeper(Live(), relay.store, server.url).keep(None))


def pause(relay, why: str = "they move") -> None:
    assert relay.command("sinks", "pause", "books", "--why", why, "--by", "anna")[0] == 0


def test_a_relay_that_is_well_has_none(relay, problems):
    relay.accept_leads(1, 2)
    relay.settle(Outcome.DELIVERED, "books")
    assert problems() == {}


def test_each_thing_for_a_person_is_a_problem_with_its_count_and_the_act_that_helps(relay, problems):
    relay.accept_leads(1, 2, 3)
    relay.settle(Outcome.UNKNOWN, "books")
    relay.accept_leads(4)
    relay.settle(Outcome.REJECTED, "books")
    relay.accept(b"\xff\xfe nonsense")
    pause(relay)
    found = problems()
    assert found.keys() == {"held:books", "dead:books", "receipts-malformed", "sink-paused:books"}
    assert (found["held:books"].count, found["held:books"].found) == (3, "3 held: may have been sent")
    assert found["held:books"].act.command == "relay deliveries list --sink books --state held"
    assert found["sink-paused:books"].act.command == "relay sinks resume books"
    assert found["sink-paused:books"].cause == "by anna: they move"
    assert found["sink-paused:books"].since
    for problem in found.values():
        status, _ = relay.command(*problem.act.command.split()[1:])
        assert status == 0, problem.act.command
    assert "sink-paused:books" not in problems()  # its act was to resume


def test_a_problem_is_new_then_seen_and_one_that_comes_back_is_new(relay, problems, keep):
    pause(relay)
    keep()
    first = problems()["sink-paused:books"]
    assert first.state is ProblemState.NEW
    assert relay.command("problems", "seen", "sink-paused:books", "--by", "anna")[0] == 0
    keep()
    seen = problems()["sink-paused:books"]
    assert (seen.state, seen.by, seen.since) == (ProblemState.SEEN, "anna", first.since)
    relay.command("sinks", "resume", "books")
    keep()
    pause(relay)
    assert problems()["sink-paused:books"].state is ProblemState.NEW


def test_a_muted_problem_is_left_out_until_its_end(run, relay, problems):
    pause(relay)
    assert relay.command("problems", "mute", "sink-paused:books", "--until", "2h", "--why", "planned")[0] == 0
    listed = json.loads(relay.command("problems", "list", "--json")[1])
    assert "sink-paused:books" not in [one["id"] for one in listed]
    every = json.loads(relay.command("problems", "list", "--muted", "--json")[1])
    (muted,) = [one for one in every if one["id"] == "sink-paused:books"]
    assert (muted["state"], muted["why"]) == ("muted", "planned")
    key = relay.store.keys.problems
    note = json.loads(run(relay.store.client.hget(key, "sink-paused:books")))
    run(relay.store.client.hset(key, "sink-paused:books", json.dumps({**note, "muted_until": 1})))
    assert problems()["sink-paused:books"].state is ProblemState.NEW


def test_what_was_said_of_a_problem_is_told_to_programs(relay, problems):
    pause(relay)
    for arguments in (["seen"], ["mute", "--until", "2h"], ["unmute"]):
        status, told = relay.command("problems", arguments[0], "sink-paused:books", *arguments[1:], "--json")[:2]
        assert (status, list(json.loads(told))) == (0, ["message"])


def test_what_people_say_of_a_problem_stands_in_the_audit(run, relay, problems):
    pause(relay)
    relay.command("problems", "seen", "sink-paused:books", "--by", "anna", "--why", "on it")
    (entry, _) = run(relay.store.acts.audit(2))
    assert (entry.act, entry.what, entry.before, entry.by, entry.why) == (
        "see",
        "problem sink-paused:books",
        "new",
        "anna",
        "on it",
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["seen", "sink-pausd:books"], "did you mean sink-paused:books?"),
        (["mute", "sink-paused:books", "--until", "2020-01-01T00:00"], "muted until a time that is to come"),
        (["show", "nothing"], "no problem nothing is open"),
    ],
)
def test_what_makes_no_sense_is_refused(relay, problems, arguments, told):
    pause(relay)
    status, output = relay.command("problems", *arguments)
    assert status != 0
    assert told in " ".join(output.replace("│", " ").split())


def test_the_doctor_and_readyz_show_the_same_list(run, relay, problems):
    relay.accept_leads(1)
    relay.settle(Outcome.UNKNOWN, "books")
    pause(relay)
    doctor = json.loads(relay.command("doctor", "--json")[1])
    said = {(one["about"], one["found"]) for one in doctor if one["grade"] != "good"}
    listed = json.loads(relay.command("problems", "list", "--json")[1])

    class Live:
        config, error = relay.config, None

    monitor = SimpleNamespace(problem=None, full=lambda: False, durability=None, memory=None, life=None, sources={})
    request = Request({"type": "http", "client": ("127.0.0.1", 1), "headers": [(b"host", b"localhost")]})
    answer = run(readyz(monitor, Live(), relay.reader, OperatorAccess(None), strict=False)(request))
    detail = json.loads(answer.body)["doctor"]
    assert {(one["about"], one["found"]) for one in listed} == said
    assert {(one["about"], one["found"]) for one in detail} == said


def test_a_broker_that_is_away_is_a_problem_of_the_workers(run, relay, problems, tmp_path):
    class Live:
        config, error = relay.config, None

    run(ProblemKeeper(Live(), relay.store, f"unix://{tmp_path}/nobody.sock").keep(None))
    assert problems()["broker-away"].grade == "bad"
    assert run(ProblemNotes(relay.store.client, relay.store.namespace).read())["broker-away"].first_at


def test_each_error_of_a_refused_file_is_a_problem(run, relay, problems):
    found = run(read_problems(relay.reader, relay.config, "relay.yaml:3:5: a: wrong\nrelay.yaml:9:1: b: wrong"))
    assert [one.found[:14] for one in found if one.kind == "config-refused"] == ["relay.yaml:3:5", "relay.yaml:9:1"]


def test_a_problem_is_logged_when_it_is_found_first(relay, problems, keep, capsys):
    pause(relay)
    capsys.readouterr()
    keep()
    keep()
    printed = capsys.readouterr()
    assert (printed.out + printed.err).count("problem=sink-paused:books") == 1
