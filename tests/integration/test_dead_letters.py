"""Dead letters are kept until a person acts or a rule that is told before is met; the audit has what went by it."""

from types import SimpleNamespace

import pytest

from relay.config.schema import RetentionSection
from relay.errors import StoreRefused
from relay.model import Outcome
from relay.operations.dead_letters import NEVER, DeadLetters, dead_rules, diagnose_dead_letters
from relay.store.health import MemoryUse
from relay.store.records import DeadRules
from workers import jobs
from workers.jobs import JobRunner

DAY = 24 * 3_600_000
MIB = 2**20
YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks: {books: {type: http, url: "http://books.test/"}}
routes: [{name: books, on: add_lead, to: books, body: {title: "{{ lead.name }}"}}]
"""


@pytest.fixture
def dead(relay):
    """Return a relay with five dead letters, the oldest first."""
    relay.configure(YAML)
    relay.receipts = relay.accept_leads(*range(5))
    relay.settle(Outcome.REJECTED, "books")
    keys = relay.store.keys
    relay.run(relay.store.client.zadd(keys.finished_dead, {id: n + 1 for n, id in enumerate(relay.receipts)}))
    return relay


def left(relay) -> list[str]:
    return [one.id for one in relay.run(relay.reader.receipts(relay.receipts))]


def test_the_count_of_finished_hooks_removes_none(dead):
    dead.run(dead.store.retention.apply(DAY, 10**15, 1, 100, DeadRules(count=NEVER)))
    assert left(dead) == dead.receipts


def test_the_oldest_go_by_their_share_and_the_audit_says_by_which_rule(dead):
    rules = DeadRules(count=3, age_rule="retention.dead: 30d", count_rule="retention.dead_share: 20%")
    dead.run(dead.store.retention.apply(DAY, 10**15, 1000, 100, rules))
    assert left(dead) == dead.receipts[2:]
    entries = dead.run(dead.store.acts.audit(10))
    assert [(one.act, one.what, one.before, one.by, one.why) for one in entries] == [
        ("expire", f"receipt {id}", "dead", "retention", "retention.dead_share: 20%")
        for id in (dead.receipts[1], dead.receipts[0])
    ]
    assert dead.run(dead.reader.counters())["delivery", "books", "expired"] == 2


@pytest.mark.parametrize("may_ask", [True, False])
def test_the_job_applies_the_configuration_s_rules_also_where_it_may_not_ask_for_the_memory(dead, monkeypatch, may_ask):
    async def refuse(_) -> None:
        raise StoreRefused("NOPERM this user has no permissions to run the 'info' command")

    if not may_ask:
        monkeypatch.setattr(jobs, "read_memory_use", refuse)

    async def refresh(_) -> None:
        return None

    live = SimpleNamespace(
        config=SimpleNamespace(retention=RetentionSection(dead="30d")),
        refresh_subscriptions=refresh,
        types_of_sinks=lambda: {"books": "http"},
    )
    dead.run(dead.store.enqueue_job("retention", "retention"))
    dead.run(JobRunner(live, dead.store, "w1", lambda: False, {})._run_next())
    assert left(dead) == []
    assert {one.why for one in dead.run(dead.store.acts.audit(10))} == {"retention.dead: 30d"}


def test_held_and_pending_deliveries_never_go(relay):
    relay.configure(YAML)
    receipts = relay.accept_leads(1, 2)
    relay.settle(Outcome.UNKNOWN, "books")
    relay.accept_leads(3)
    relay.run(relay.store.retention.apply(0, 0, 1, 100, DeadRules(count=0)))
    assert len(relay.run(relay.reader.receipts(receipts))) == 2


@pytest.mark.parametrize(
    ("used", "limit", "most"), [(50 * MIB, 100 * MIB, 400), (100 * MIB, 100 * MIB, 200), (50 * MIB, 0, NEVER)]
)
def test_so_many_are_kept_as_their_share_of_the_memory_holds(used, limit, most):
    found = DeadLetters(count=10, hooks=1000)
    assert dead_rules(found, MemoryUse(used=used, limit=limit), RetentionSection()).count == most


@pytest.mark.parametrize(
    ("found", "memory", "kinds"),
    [
        (DeadLetters(count=0, hooks=10), None, []),
        (DeadLetters(count=9, hooks=10, oldest_at=40 * DAY), None, []),
        (DeadLetters(count=9, hooks=10, oldest_at=12 * DAY), None, ["dead-expiring"]),
        (DeadLetters(count=9, hooks=10, oldest_at=40 * DAY), MemoryUse(used=17, limit=100), []),
        (DeadLetters(count=9, hooks=10, oldest_at=40 * DAY), MemoryUse(used=18, limit=100), ["dead-crowded"]),
    ],
)
def test_it_is_told_before_the_first_goes(found, memory, kinds):
    diagnoses = list(diagnose_dead_letters(found, memory, RetentionSection(), 40 * DAY))
    assert [one.kind for one in diagnoses] == kinds
    assert all("relay audit tells of each" in one.means for one in diagnoses)


def test_the_doctor_says_so(dead):
    assert "the oldest of 5 hooks with one goes at " in dead.command("doctor")[1]
