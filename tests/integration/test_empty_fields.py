"""How often the fields that routes read are empty is counted beside the work, and told where it has risen."""

from types import SimpleNamespace

import msgspec
import pytest

from relay.amocrm.form import encode_form
from relay.model import Receipt
from relay.operations.field_days import FieldDays, day_of
from relay.operations.problems import read_problems
from relay.planning.field_counts import count_fields, watched_routes
from relay.store.records import Job
from relay.store.shared_state import SharedState
from tests.integration.store.shapes import hook
from workers.field_counter import COUNT_FIELDS, FieldCounter

DAY = 86_400_000
CONFIG = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen, ignore_users: [504141]}}
sinks: {log: {type: log}}
tables: {managers: {102525: "+79161234567"}, towns: {Москва: "1"}}
routes:
  - name: won
    on: status_lead
    where: {status_id: 142, price: {gt: 0}, custom: {Город: {exists: true}}}
    to: log
    text: "{{ lead.name }} {{ lead.responsible_user_id | lookup('managers') }} {{ account.id }}
      {{ lead.custom['Город'] | lookup('towns') }}"
  - {name: new, on: add_lead, to: log, text: "{{ lead.custom['Источник'] | default('') }}"}
"""


def lead(**fields: object) -> bytes:
    custom = [
        {"id": "1", "name": name, "values": [{"value": value}]} for name, value in fields.pop("custom", {}).items()
    ]
    given = {"id": "7", "status_id": "142", "price": "500", "name": "a lead", "responsible_user_id": "102525", **fields}
    return encode_form({"leads": {"status": [{**given, **({"custom_fields": custom} if custom else {})}]}})


@pytest.fixture
def counter(relay, store):
    relay.configure(CONFIG)
    return FieldCounter(SimpleNamespace(config=relay.config, error=None), store)


@pytest.fixture
def counted(run, counter, store):
    """Return a function that counts what has arrived, and returns the counts of today by route and field."""

    def read() -> dict[tuple[str, str], tuple[int, int]]:
        while run(counter.count_sample(store.clock.ms() + 1)):
            pass
        shared = SharedState(store.client, store.namespace)
        found = run(shared.get(f"fields:day:{day_of(store.clock.ms(), 'UTC')}"))
        counts = msgspec.json.decode(found)["acme"]
        read.misses = counts.get("misses", {})
        return {
            tuple(msgspec.json.decode(key)[:2]): (seen, counts["empty"].get(key, 0))
            for key, seen in counts["seen"].items()
        }

    return read


def test_a_field_counts_among_the_events_for_which_all_else_holds(relay, counted):
    town = {"Город": "Москва"}
    relay.accept(
        lead(custom=town), lead(price="0", custom=town), lead(price="", custom=town), lead(status_id="143", price=""),
        lead(), lead(custom={"Город": "+79031112233"}, name=""), lead(custom=town, responsible_user_id="777001"),
        lead(price="", modified_user_id="504141"), b"nonsense",
    )  # fmt: skip
    counts = counted()
    assert counts["won", "price"] == (5, 2), "won, with a town"
    assert counts["won", "Город"] == (4, 1), "won, with a price"
    assert counts["won", "name"] == (3, 1), "of what matches: the text alone reads it"
    assert counts["won", "responsible_user_id"] == (3, 0)
    assert counted.misses == {"managers": {"777001": 1}}, "what a table lacks is kept of ids alone"
    assert ("won", "id") not in counts, "views of the account are no fields of the event"


def test_what_is_counted_once_is_not_counted_again(relay, counted):
    relay.accept(lead(), lead())
    assert counted()["won", "Город"] == (2, 2)
    relay.accept(lead())
    assert [counted()["won", "Город"] for _ in range(2)] == [(3, 3)] * 2


def test_of_many_hooks_a_sample_is_counted(relay, counted, run, store, counter, spent):
    run(store.accept([hook(f"h{at:04}", lead(custom={"Город": "Тула"})) for at in range(450)]))
    spent()
    until = store.clock.ms() + 1
    assert run(counter.count_sample(until)) is False, (
        "they all arrived within the hour that the first sample stands for"
    )
    calls, commands = spent()
    assert calls == 1, "one script writes what was counted"
    assert commands < 3 * 200 + 20, "three reads for each receipt of the sample, whatever else has arrived"
    assert counted()["won", "price"] == (200, 0)


def test_a_rise_is_a_problem_since_the_day_that_it_began(run, relay, store, counter, reader):
    """Three usual days and two others: counted as receipts of these days would have been."""
    shared = SharedState(store.client, store.namespace)
    days, config = FieldDays(shared), relay.config
    run(reader.now())
    now = store.clock.ms()
    for back, empty in ((5, 1), (4, 1), (3, 1), (1, 24), (0, 24)):
        town = {"Город": "Москва"}
        bodies = [lead(custom=town, price="0" if at < empty else "500") for at in range(50)]
        receipts = [hook_receipt(body, now - back * DAY) for body in bodies]
        counts = count_fields(receipts, config, watched_routes(config, "acme"))
        run(days.add({("acme", day_of(now - back * DAY, "UTC")): counts}, run(days.reach())))
    assert run(counter.count(Job(id="f", kind=COUNT_FIELDS, args=b"{}", token="t"))) == 60_000
    found = {one.id: one for one in run(read_problems(reader, config)) if one.kind == "drift"}
    problem = found["drift:acme/empty/won/price"]
    assert len(found) == 1
    assert problem.grade == "warning"
    assert problem.found == "price was empty in 48% of 100 events of route won, usually in 2%"
    assert day_of(problem.since, "UTC") == day_of(now - DAY, "UTC")
    assert problem.act.command == "relay events list --source acme --route 'won'"
    relay.configure(CONFIG.replace("price: {gt: 0}", "price: {gt: 5}"))
    counter._live.config = relay.config
    run(counter.count(Job(id="f", kind=COUNT_FIELDS, args=b"{}", token="t")))
    assert not [one for one in run(read_problems(reader, relay.config)) if one.kind == "drift"], "another condition"


def hook_receipt(body: bytes, at: int):
    return Receipt(id="r", source="acme", received_at=at, body=body)


@pytest.mark.parametrize("mark", [("died", 1), ("state", "quarantined")])
def test_a_hook_at_which_a_worker_died_is_not_decoded_here(run, store, counted, monkeypatch, mark):
    run(store.accept([hook("good", lead()), hook("bad", lead(name="kill-the-worker"))]))
    run(store.client.hset(store.keys.receipt("bad"), *mark))
    decoded = []
    monkeypatch.setattr(
        "workers.field_counter.count_fields",
        lambda receipts, *more: decoded.extend(one.id for one in receipts) or count_fields(receipts, *more),
    )
    counted()
    assert decoded == ["good"]
    run(store.client.hset(store.keys.receipt("bad"), mapping={"died": 0, "state": "accepted"}))
