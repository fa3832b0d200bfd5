"""The command line against a running relay: what is sent can be found, shown and explained."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay.cli import app
from relay.config.environment import environ
from relay.processes.supervisor import Processes
from relay.sandbox.samples import samples
from tests.e2e.harness import until

CONFIG = Path(__file__).parents[2] / "config" / "relay.yaml"
INHERITED = ("REDIS_URL", "CELERY_BROKER_URL", "PORT", "RELAY_SANDBOX_PORT", "RELAY_NAMESPACE")
Run = Callable[..., str]
_SAMPLES = samples(1_795_443_326_526)
CONTACT, WON, MOVED = _SAMPLES[0].body, _SAMPLES[1].body, _SAMPLES[3].body
LEAD = "38126526"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def relay(folder: Path) -> Iterator[Processes]:
    variables = {name: value for name, value in environ().items() if name not in INHERITED}
    with Processes(folder / ".relay", {**variables, "RELAY_CONFIG": str(CONFIG)}) as processes:
        processes.start()
        yield processes


@pytest.fixture
def run(relay: Processes, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in the folder of the relay and return what it printed; `status` is its expected exit status."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RELAY_CONFIG", str(CONFIG))
    for name in INHERITED:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            app(arguments)
        printed = capsys.readouterr()
        assert ended.value.code == status, printed.err
        return printed.err if status else printed.out

    return run


@pytest.fixture
def sent(run: Run, folder: Path) -> dict[str, str]:
    """Send three hooks and wait until they are settled; return their receipts by name."""
    receipts = {}
    for name, body in (("contact", CONTACT), ("won", WON), ("moved", MOVED)):
        (folder / f"{name}.form").write_bytes(body)
        receipts[name] = json.loads(run("send", f"{name}.form", "--json"))["receipt"]
    until(lambda: len(finished(run)) == 5, what="five deliveries to end")
    return receipts


def finished(run: Run) -> list[dict[str, object]]:
    return [delivery for delivery in json.loads(run("deliveries", "list", "--json")) if delivery["state"] != "pending"]


def test_send_prints_the_receipt_and_recognises_a_duplicate(run: Run, sent: dict[str, str]) -> None:
    assert run("send", "won.form") == f"receipt {sent['won']} (a duplicate of it: not routed again)\n"


def test_events_are_listed_newest_first(run: Run, sent: dict[str, str]) -> None:
    listed = json.loads(run("events", "list", "--json"))
    assert [(event["event"], event["entity_id"]) for event in listed] == [
        ("status_lead", "38126527"), ("status_lead", LEAD), ("status_lead", LEAD), ("add_contact", "38126528"),
    ]  # fmt: skip
    assert {event["receipt_id"] for event in listed} == set(sent.values())


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["--event", "add_contact"], ["add_contact"]),
        (["--entity", f"lead:{LEAD}"], ["status_lead", "status_lead"]),
        (["--entity", "lead:1"], []),
        (["--sink", "accounting"], ["status_lead"]),
        (["--source", "nobody"], []),
        (["--state", "unrouted"], []),
        (["--since", "1h", "--limit", "1"], ["status_lead"]),
        (["--until", "1h"], []),
    ],
)
def test_events_are_filtered(run: Run, sent: dict[str, str], filters: list[str], names: list[str]) -> None:
    assert [event["event"] for event in json.loads(run("events", "list", "--json", *filters))] == names


@pytest.mark.parametrize(
    ("filters", "sinks"),
    [
        (["--sink", "sms"], ["sms", "sms"]),
        (["--sink", "sms", "--state", "skipped"], ["sms"]),
        (["--state", "pending"], []),
        (["--state", "dead", "--sink", "sms"], []),
        (["--event", "add_contact", "--sink", "newsletter"], ["newsletter"]),
        (["--entity", f"lead:{LEAD}", "--sink", "accounting"], ["accounting"]),
        (["--until", "1h"], []),
    ],
)
def test_deliveries_are_filtered(run: Run, sent: dict[str, str], filters: list[str], sinks: list[str]) -> None:
    assert [found["sink"] for found in json.loads(run("deliveries", "list", "--json", *filters))] == sinks


def test_lists_for_people_have_a_line_for_each(run: Run, sent: dict[str, str]) -> None:
    assert len(run("events", "list").splitlines()) == 1 + 4
    assert len(run("deliveries", "list").splitlines()) == 1 + 5


def test_the_story_of_an_event_goes_from_its_arrival_to_its_delivery(run: Run, sent: dict[str, str]) -> None:
    text = run("events", "show", f"{sent['won']}.0")
    steps = ["arrived from demo", "status_lead lead", "invoice for a won deal → accounting", "attempt 1: delivered 201"]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    record = json.loads(run("events", "show", sent["won"], "--json"))
    assert record["events"][0]["name"] == "status_lead"
    assert [attempt["outcome"] for attempt in record["deliveries"][0]["attempts"]] == ["delivered"]


def test_the_story_of_a_delivery_has_its_request_and_masks_the_person(run: Run, sent: dict[str, str]) -> None:
    found = json.loads(run("deliveries", "list", "--sink", "newsletter", "--json"))[0]
    text = run("deliveries", "show", found["id"])
    assert "/unisender/en/api/subscribe" in text
    assert "v***@example.com" in text
    assert "+7***0187" in text
    assert "vera.38126528@example.com" in run("deliveries", "show", found["id"], "--reveal")
    record = json.loads(run("deliveries", "show", found["id"], "--json"))
    assert record["request"]["body"]["fields[email]"] == "v***@example.com"
    assert record["deliveries"][0]["delivery"]["state"] == "delivered"


def test_a_skipped_delivery_says_why(run: Run, sent: dict[str, str]) -> None:
    skipped = json.loads(run("deliveries", "list", "--state", "skipped", "--json"))
    assert ['no entry for "777001"' in found["reason"] for found in skipped] == [True]


@pytest.mark.parametrize("what", ["file", "receipt", "event"])
def test_a_file_and_what_is_stored_are_explained_alike(run: Run, sent: dict[str, str], what: str) -> None:
    named = {"file": "won.form", "receipt": sent["won"], "event": f"{sent['won']}.0"}[what]
    explanation = json.loads(run("explain", named, "--json"))
    (event,) = explanation["events"]
    assert {route["route"]: route["matched"] for route in event["routes"]} == {
        "invoice for a won deal": True,
        "new contact to the newsletter": False,
        "stage change text message": False,
        "everything to the log": False,
    }
    assert event["routes"][0]["deliveries"][0]["request"]["body"]["amount"] == "154000.00"
    assert "✓ invoice for a won deal" in run("explain", named)


def test_stats_count_everything(run: Run, sent: dict[str, str]) -> None:
    stats = json.loads(run("stats", "--over", "0.1", "--json"))
    assert stats["counts"]["receipt demo accepted"] == 3
    assert stats["counts"]["delivery accounting delivered"] == 1
    assert stats["inbox"] == [0, 0]
    by_name = {sink["state"]["name"]: sink for sink in stats["sinks"]}
    assert by_name["accounting"]["end_to_end"]["p50"] is not None
    assert by_name["accounting"]["state"]["waiting"] == 0
    text = run("stats", "--over", "0.1")
    assert "accounting" in text
    assert "open" in text


@pytest.mark.parametrize("command", [["events", "show"], ["deliveries", "show"], ["explain"]])
def test_an_unknown_id_is_a_message(run: Run, command: list[str]) -> None:
    assert "give a" in run(*command, "01a208cd-0000-7000-8000-000000000000", status=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["events", "list", "--since", "yesterday"], "--since"),
        (["events", "list", "--entity", "123"], "lead:123"),
        (["events", "list", "--state", "delivered"], "unrouted"),
        (["deliveries", "list", "--limit", "0"], "--limit"),
    ],
)
def test_a_filter_that_cannot_be_read_says_what_would_be_right(run: Run, arguments: list[str], message: str) -> None:
    assert message in run(*arguments, status=2)


def test_check_counts_what_it_found_and_strict_refuses_default_secrets(run: Run) -> None:
    assert "is valid: 1 source(s), 4 route(s), 4 sink(s)" in run("check", str(CONFIG))
    assert "DEMO_HOOK_TOKEN" in run("check", str(CONFIG), "--strict", status=1)


def test_the_schema_is_json_schema(run: Run) -> None:
    assert json.loads(run("schema"))["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_store_that_is_away_is_a_message_and_status_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "unix:///nowhere/store.sock")
    assert "store" in run("events", "list", status=2)


def test_no_store_at_all_is_a_message(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("events", "list", status=1).startswith("REDIS_URL is not set")


def test_a_relay_that_is_not_there_is_a_message(run: Run, sent: dict[str, str]) -> None:
    assert "is the relay running there?" in run("send", "won.form", "--url", "http://127.0.0.1:1", status=1)
