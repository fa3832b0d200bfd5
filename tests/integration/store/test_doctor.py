"""`relay doctor`, `stats`, `/metrics` and `/readyz` on a real store: what is wrong is said, and only that."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from typer.testing import CliRunner

from relay.cli import app
from relay.config.load import load
from relay.model import Outcome
from relay.operations.examination import Examination
from relay.operations.store_diagnosis import diagnose_store
from relay.sinks.registry import sink_types
from relay.store.connect import connect
from relay.store.health import MemoryUse, read_memory_samples
from relay.store.reader import Reader
from relay.store.store import Store
from relay.web.health import readyz
from relay.web.metrics.endpoint import metrics
from relay.web.operator_access import OperatorAccess, OperatorTokens
from tests.deploy.alert_rules import fired
from tests.integration.store.shapes import settlement

YAML = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
routes:
  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}
"""
WAITING = 3000
HOUR_MS = 3_600_000


class Doctor:
    """Runs the command on a store."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.status, self.diagnoses = 0, []
        self.configure(YAML)

    def configure(self, text: str) -> None:
        (self.folder / "relay.yaml").write_text(text)

    def __call__(self, about: str) -> dict[str, str]:
        """Run it; return the diagnosis of one thing."""
        return next(one for one in self.all() if one["about"].startswith(about))

    def all(self) -> list[dict[str, str]]:
        done = CliRunner().invoke(app, ["doctor", "--json"])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        self.status, self.diagnoses = done.exit_code, json.loads(done.stdout)
        return self.diagnoses

    def alarms(self) -> list[tuple[str, str]]:
        """Run it; return what is not good, but for the store's memory, which has no limit here."""
        return [
            (one["about"], one["grade"]) for one in self.all() if one["grade"] != "good" and one["about"] != "headroom"
        ]


@pytest.fixture
def on(monkeypatch, tmp_path):
    """Return the doctor of a store."""

    def make(url: str, namespace: str) -> Doctor:
        monkeypatch.chdir(tmp_path)
        for name, value in {"REDIS_URL": url, "RELAY_NAMESPACE": namespace, "RELAY_CONFIG": "relay.yaml"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
        return Doctor(tmp_path)

    return make


def see(run, store, worker: str, after_ms: int) -> None:
    """Let a worker have been seen so long after now."""
    run(store.look(worker))
    run(store.client.zincrby(store.keys.workers, after_ms, worker))


@pytest.fixture
def doctor(on, server, namespace, run, store) -> Doctor:
    """Return the doctor of a relay with a sink and a worker."""
    run(store.registry.add_sinks({"books": "http"}))
    see(run, store, "w1", HOUR_MS)  # as long as the test takes
    return on(server.url, namespace)


@pytest.fixture
def live():
    return SimpleNamespace(config=load(YAML, file="f", environ={}, sink_types=sink_types()), error=None)


@pytest.fixture
def scrape(run, reader, live):
    """Read the metrics as Prometheus does."""

    def families() -> list[Metric]:
        text = run(metrics(reader, live)(None)).body.decode()
        return list(text_string_to_metric_families(text))

    return families


def fired_of_rules(families) -> set[str]:
    """Return the alerts that fire about single numbers; those about problems are the list of these."""
    return fired(families) - {"RelayProblem", "RelayProblemBad"}


def value(families, name: str) -> float:
    """Return the value of a metric that has one sample."""
    (sample,) = [sample for family in families for sample in family.samples if sample.name == name]
    return sample.value


@pytest.fixture
def ready(run, reader, live):
    """Read the detail of /readyz as an operator on this machine."""
    monitor = SimpleNamespace(problem=None, full=lambda: False, durability=None, memory=None, life=None, sources={})
    request = Request({"type": "http", "client": ("127.0.0.1", 1), "headers": [(b"host", b"localhost")]})

    def detail() -> dict:
        endpoint = readyz(monitor, live, reader, OperatorAccess(OperatorTokens(None)), strict=False)
        return json.loads(run(endpoint(request)).body)

    return detail


@pytest.fixture
def dead_sink(run, store, given, doctor) -> None:
    """Let every attempt at a sink fail, twice for each of thousands, and the first of it be an hour ago."""

    def fail(delay_ms: int) -> None:
        for _ in range(WAITING // 100):
            run(store.client.delete(store.keys.gate("sink:books")))  # the breaker would keep most of them back
            flying = given.claim(max=100).items
            given.settle(*[settlement(one, Outcome.RETRY, delay_ms=delay_ms) for one in flying])

    for _ in range(WAITING // 100):
        given.pending(100)
    fail(0)
    fail(HOUR_MS)
    run(store.client.hset(store.keys.gate("sink:books"), "until", 1))  # its next trial is due
    since = store.keys.outcomes("books")
    run(store.client.hincrby(since, "since", -HOUR_MS))
    run(store.client.zincrby(store.keys.pending("books"), -2 * HOUR_MS, _first(run, store)))


def _first(run, store) -> str:
    return run(store.client.zrange(store.keys.pending("books"), 0, 0))[0].decode()


@pytest.fixture
def mended(run, store):
    """Undo what the dead sink's age was made of, so that the store's invariants hold."""
    yield
    id = _first(run, store)
    run(store.client.zincrby(store.keys.pending("books"), 2 * HOUR_MS, id))


def test_a_dead_sink_is_bad_with_its_share_since_when_and_the_oldest(mended, dead_sink, doctor, scrape, ready, run):
    found = doctor("sink books")
    assert (doctor.status, found["grade"]) == (1, "bad")
    assert "(1h 0m): 100% of 6000 attempts failed in the last hour" in found["found"]
    assert "3000 wait, the oldest for 2h 0m" in found["found"]

    stats = CliRunner().invoke(app, ["stats", "--over", "0.1"]).stdout
    (row,) = [line for line in stats.splitlines() if line.startswith("books")]
    assert "3000" in row
    assert "2h 0m" in row
    assert "100% of 6000, all since" in row

    families = scrape()
    assert value(families, "relay_sink_failure_ratio") == 1.0
    assert HOUR_MS <= value(families, "relay_sink_failing_seconds") * 1000 < 2 * HOUR_MS
    assert 2 * HOUR_MS <= value(families, "relay_sink_oldest_pending_age_seconds") * 1000 < 3 * HOUR_MS
    assert fired_of_rules(families) == {"RelaySinkFailing", "RelaySinkFailingInPart"}

    detail = ready()
    assert detail["status"] == "ready"
    assert [one["found"].partition(", since")[0] for one in detail["doctor"] if one["about"] == "sink books"] == [
        "nothing is delivered, its gate is closed"
    ]


def test_a_relay_that_is_well_fires_no_alert(doctor, given, scrape):
    given.settle(*[settlement(one, Outcome.DELIVERED) for one in given.claimed(20)])
    given.pending(5)
    assert fired_of_rules(scrape()) == set()
    assert doctor.alarms() == []


def test_what_is_delivered_ends_the_alarm(doctor, given, run, store):
    for _ in range(4):
        given.settled(given.leased(), Outcome.RETRY, delay_ms=HOUR_MS)
    run(store.client.hincrby(store.keys.outcomes("books"), "since", -HOUR_MS))
    assert doctor("sink books")["grade"] == "bad"
    given.settled(given.leased(), Outcome.DELIVERED)
    assert doctor("sink books")["grade"] == "good"


def test_a_sink_that_fails_often_is_a_warning(doctor, given):
    given.settle(*[settlement(one, Outcome.REJECTED) for one in given.claimed(6)])
    given.settle(*[settlement(one, Outcome.DELIVERED) for one in given.claimed(6, token="w2")])
    found = next(one for one in doctor.all() if one["found"].startswith("much fails"))
    assert found["grade"] == "warning"
    assert "50% of 12 attempts" in found["found"]


def test_waiting_for_the_hour_of_sending_is_no_failure(doctor, given):
    given.settle(*[settlement(one, Outcome.THROTTLED, delay_ms=HOUR_MS) for one in given.claimed(20)])
    assert doctor.alarms() == []


def test_no_worker_and_work_waiting_is_bad_at_once(doctor, run, store, given, scrape):
    assert doctor.alarms() == []
    run(store.forget_worker("w1"))
    assert doctor.alarms() == [("workers", "warning")]
    given.accepted()
    assert doctor.alarms() == [("workers", "bad")]
    assert (doctor.status, doctor("workers")["found"]) == (1, "none runs; hooks and deliveries that wait: 1")
    assert fired_of_rules(scrape()) == {"RelayNoWorker"}
    run(store.look("w2"))
    assert doctor.alarms() == []


def test_a_worker_that_was_killed_is_no_worker_soon(doctor, run, store, given):
    given.accepted()
    see(run, store, "w1", -6000)
    assert doctor.alarms() == [("workers", "bad")]


def test_a_subscriber_that_is_well_raises_no_alarm(doctor, run, store, given, scrape):
    """Also one of whose events some were given up, as amoCRM would have."""
    run(store.registry.add_sinks({"sub-7": "subscriber"}))
    given.pending(3, sink="sub-7")
    dead, *well = given.claim(sink="sub-7").items
    given.settle(settlement(dead, Outcome.REJECTED), *[settlement(one, Outcome.DELIVERED) for one in well])
    given.pending(1, sink="sub-7")
    assert doctor.alarms() == []
    assert fired_of_rules(scrape()) == set()
    assert doctor("sink sub-7")["found"].startswith("1 waiting, 1 given up as amoCRM would")


def test_a_broken_configuration_is_said_and_the_rest_examined(doctor, run, store, given):
    doctor.configure(YAML.replace("to: books", "to: boks").replace("on: add_lead", "on: add_leed"))
    given.accepted()
    run(store.forget_worker("w1"))
    alarms = doctor.alarms()
    assert alarms == [
        ("configuration", "bad"),
        ("configuration", "bad"),
        ("workers", "bad"),
        ("sources", "warning"),
    ]
    errors = [one["found"] for one in doctor.diagnoses if one["about"] == "configuration"]
    assert any("boks" in error for error in errors)
    assert all(error.startswith("relay.yaml:") for error in errors)
    assert doctor("sink books")["grade"] == "good"


def test_a_wrong_variable_is_said_and_the_rest_examined(doctor, monkeypatch):
    monkeypatch.setenv("PORT", "eighty")
    assert doctor.alarms() == [("environment", "bad")]
    assert doctor("environment")["found"].startswith("PORT: ")


def test_a_full_store_is_said_and_the_rest_examined(on, start_server, run):
    server = start_server()
    client = connect(server.url, answer_seconds=10)
    store = Store(client, "full")
    run(store.registry.add_sinks({"books": "http"}))
    run(client.config_set("maxmemory", "1"))
    doctor = on(server.url, "full")
    assert doctor("what the store survives")["grade"] == "good"
    assert dict(doctor.alarms()).items() >= {("writes", "bad"), ("workers", "warning"), ("broker", "bad")}
    assert doctor("headroom")["grade"] == "bad"
    assert doctor("sink books")["grade"] == "good"
    run(client.aclose())


def test_a_store_that_is_away_is_said_and_the_configuration_examined(on, tmp_path):
    doctor = on(f"unix://{tmp_path}/nobody.sock", "away")
    assert dict(doctor.alarms()) == {"store": "bad", "broker": "bad"}
    assert doctor("configuration")["grade"] == "good"


def test_the_broker_is_checked_where_it_is_another_server(doctor, monkeypatch, tmp_path):
    assert doctor("broker")["grade"] == "good"
    monkeypatch.setenv("CELERY_BROKER_URL", f"unix://{tmp_path}/nobody.sock")
    assert doctor.alarms() == [("broker", "bad")]
    assert (doctor.status, "store" in doctor("broker")["found"]) == (1, False)


def test_look_ups_that_need_not_be_asked_yet_say_nothing_about_the_account(doctor, run, store, given, scrape):
    """Their route is gone from the file: the account was never asked, and a critical alert fired."""
    given.waiting_for_lookups(5)
    claimed = run(store.claim_lookups("account:acme", "f1", 9, 60_000)).items
    waiting = [settlement(one, Outcome.THROTTLED, delay_ms=9) for one in claimed]
    run(store.postpone_lookups("account:acme", waiting, asked=False))
    assert run(store.client.hget(store.keys.outcomes("account:acme"), "since")) is None
    assert doctor.alarms() == []
    assert fired_of_rules(scrape()) == set()


def test_look_ups_that_all_fail_are_bad(doctor, run, store, given, scrape):
    given.waiting_for_lookups(5)
    claimed = run(store.claim_lookups("account:acme", "f1", 9, 60_000)).items
    run(
        store.postpone_lookups(
            "account:acme", [settlement(one, Outcome.THROTTLED, delay_ms=9) for one in claimed], asked=True
        )
    )
    run(store.client.hincrby(store.keys.outcomes("account:acme"), "since", -HOUR_MS))
    assert doctor.alarms() == [("look-ups of acme", "bad")]
    assert fired_of_rules(scrape()) == {"RelayLookupsFailing"}
    assert "100% of 5 attempts failed" in doctor("look-ups")["found"]


def test_the_doctor_forecasts_when_the_store_is_full(run, store) -> None:
    hour, limit = 3_600_000, 1_000_000
    now = run(Reader(store.client, store.namespace).now())
    rows = [f"{now - age * hour}|{410_000 - age * 2_000}|{limit}" for age in range(1, 12)]
    run(store.client.rpush(store.keys.memory, *rows))
    samples = run(read_memory_samples(store.client, store.keys.memory))
    examination = Examination(now=now, memory=MemoryUse(used=410_000, limit=limit), memory_samples=samples, failures={})
    (headroom,) = [one for one in diagnose_store(examination) if one.about == "headroom"]
    assert (headroom.grade, headroom.found) == (
        "good",
        "41% of maxmemory: 0 MiB used of 1 MiB, full in about 9 days at this rate",
    )


def test_how_full_the_store_is_is_noted_once_an_hour(run, store) -> None:
    for used in (100, 200):
        run(store.note_memory(MemoryUse(used=used, limit=1000)))
    (sample,) = run(read_memory_samples(store.client, store.keys.memory))
    assert sample.used == 100
    run(store.client.lset(store.keys.memory, 0, f"{sample.at - 3_600_000}|100|1000"))
    run(store.note_memory(MemoryUse(used=200, limit=1000)))
    assert [one.used for one in run(read_memory_samples(store.client, store.keys.memory))] == [200, 100]


def test_the_alerts_are_about_the_list_of_problems(doctor, run, store, given, scrape):
    """What is muted is left out of the number, so that its alert ends."""

    def counted() -> dict[tuple[str, str], float]:
        samples = [one for family in scrape() for one in family.samples if one.name == "relay_problems"]
        return {(one.labels["kind"], one.labels["grade"]): one.value for one in samples}

    def listed() -> dict[tuple[str, str], int]:
        done = CliRunner().invoke(app, ["problems", "list", "--json"])
        return Counter((one["kind"], one["grade"]) for one in json.loads(done.stdout))

    assert ("workers-gone", "bad") not in counted()
    run(store.forget_worker("w1"))
    given.accepted()
    assert counted() == listed()
    assert counted()["workers-gone", "bad"] == 1
    assert "RelayProblemBad" in fired(scrape())
    for one in json.loads(CliRunner().invoke(app, ["problems", "list", "--json"]).stdout):
        muted = CliRunner().invoke(app, ["problems", "mute", one["id"], "--until", "2h"])
        assert muted.exit_code == 0, muted.output
    assert (counted(), listed()) == ({}, {})
    assert fired(scrape()) == {"RelayNoWorker"}
