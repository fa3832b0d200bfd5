"""A person in several shards: shown from all, erased from all, and neither is complete while one is away."""

import json

import pytest
from pydantic import SecretStr

from relay.config.load import load
from relay.errors import StoreUnavailable
from relay.operations.actions import read_action
from relay.operations.erasing import preview_erasure, start_erasure
from relay.operations.erasures import read_erasures
from relay.operations.passport import PassportSearch
from relay.operations.people_query import PersonQuery, find_person
from relay.operations.search import parse_cursor
from relay.planning import plan_receipts
from relay.sinks.registry import make_sinks, sink_types
from relay.store.acts import Author
from relay.store.connect import connect
from relay.store.reader import Reader
from tests.integration.action_runs import no_account
from tests.integration.store.shapes import hook
from tests.integration.test_erasures import EMAIL, MARKERS, OTHER, PHONE, SECRET, contacts, dump, item
from workers.actions import ActionRunner
from workers.people_indexer import PeopleIndexer

ANNA = Author(by="anna", why="asked")
KEY = SecretStr(SECRET)
YAML = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
  bigco: {type: amocrm, token: a-token-of-sixteen-b}
  corner: {type: amocrm, token: a-token-of-sixteen-c}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
routes:
  - {name: people, on: [add_contact], to: books, body: {to: "{{ contact.phone }}"}}
"""
CONFIG = load(YAML, file="relay.yaml", environ={}, sink_types=sink_types())
SHARDS = {"acme": "00", "bigco": "01", "corner": "02"}


class People:
    """Three shards with hooks about people, and what is asked and done about them."""

    def __init__(self, run, whole) -> None:
        self.run, self.whole = run, whole
        self._there = dict(whole.each)

    def accept(self, id: str, source: str, *items: dict) -> None:
        """Store a hook in the shard of its source, route it, and write into the index whom it is about."""
        store = self.whole.shards.store(SHARDS[source])
        self.run(store.accept([hook(id, contacts(*items), source=source)]))
        received = self.run(store.claim_receipts("router", 10, 60_000)).items
        self.run(store.save_routed("router", plan_receipts(received, CONFIG, make_sinks(CONFIG))))
        indexer = PeopleIndexer(store, KEY)
        while self.run(indexer.index_batch(indexer._key, 1 << 52)):
            pass

    def known(self, query: PersonQuery):
        return self.run(find_person(self.whole.reader, query, KEY))

    def passport(self, query: PersonQuery, limit: int = 100, after: str | None = None, *, thorough: bool = False):
        search = PassportSearch(self.whole.reader, CONFIG, self.known(query))
        cursor = None if after is None else parse_cursor(after)
        return self.run(search.read(query, limit, cursor, thorough=thorough, seconds=60))

    def erase(self, query: PersonQuery):
        known = self.known(query)
        return self.run(start_erasure(self.whole.store, self.whole.reader, known, query, ANNA))

    def work(self, *shards: str) -> None:
        """Do what is due of actions in some shards."""
        stores = self.whole.shards.stores()
        for name in shards:
            store = stores[name]
            others = {other: one.actions for other, one in stores.items() if other != name}
            runner = ActionRunner(lambda: CONFIG, store, no_account, lambda: False, KEY, others=lambda o=others: o)
            self.run(store.client.zadd(store.keys.due("jobs"), {f"action:{self.erasure().id}": 1}, xx=True))
            while jobs := self.run(store.claim_jobs("w:j", 1, 60_000)).items:
                for job in jobs:
                    again = self.run(runner.run(job)) if job.kind == "action" else 60_000
                    self.run(store.finish_job(job, again))

    def erasure(self):
        (found,) = self.run(read_erasures(self.whole.store, self.whole.reader, 10, CONFIG.sinks))
        return found

    def lose(self, shard: str) -> None:
        nobody = connect("redis://127.0.0.1:1", answer_seconds=1)
        self.whole.each[shard] = Reader(nobody, self._there[shard].namespace)
        self.whole.reader._away.clear()

    def bring_back(self, shard: str) -> None:
        self.whole.each[shard] = self._there[shard]
        self.whole.reader._away.clear()

    def left(self) -> list[str]:
        found = "".join(self.run(dump(one)) for one in self.whole.shards.stores().values())
        return [one for one in MARKERS if one.lower() in found.lower()]


@pytest.fixture
def people(run, whole) -> People:
    return People(run, whole)


@pytest.mark.parametrize("thorough", [True, False])
def test_a_passport_has_what_every_shard_has_the_newest_first_and_goes_on_where_it_stopped(people, thorough):
    order = ["acme", "bigco", "acme", "corner", "bigco", "acme"]
    for n, source in enumerate(order):
        # Two events of one hook are one row, which no page divides.
        people.accept(f"r{n}", source, item(10 + n), item(30 + n), item(50 + n, "Other", OTHER, "o@example.com"))
    query = PersonQuery(phone=PHONE)
    found, after = [], None
    while True:
        page = people.passport(query, 3, after, thorough=thorough)
        found += [event.id for event in page.events]
        assert len(page.events) <= 4
        if (after := page.next) is None:
            break
    assert len(found) == len(set(found)) == 12
    rows = [id.partition(".")[0] for id in found]
    assert sorted(set(rows)) == [f"r{n}" for n in range(6)]
    arrived = {one.id: one.received_at for one in people.run(people.whole.reader.receipts([f"r{n}" for n in range(6)]))}
    assert [arrived[id] for id in rows] == sorted((arrived[id] for id in rows), reverse=True)
    assert {source.partition(":")[0] for source in page.contacts} == {"acme", "bigco", "corner"}


def test_what_a_contact_has_in_one_shard_is_looked_for_in_all(people):
    people.accept("r1", "bigco", item(7, phone=PHONE, email=EMAIL))
    people.accept("r2", "acme", item(8, phone="", email=EMAIL))
    assert {event.source for event in people.passport(PersonQuery(phone=PHONE)).events} == {"acme", "bigco"}


def test_a_passport_is_without_a_shard_that_is_away_and_names_it(people):
    people.accept("r1", "acme", item(7))
    people.accept("r2", "bigco", item(8))
    people.lose("01")
    assert [event.source for event in people.passport(PersonQuery(phone=PHONE), thorough=True).events] == ["acme"]
    assert list(people.whole.reader.away) == ["01"]


def test_an_erasure_takes_a_person_out_of_every_shard_and_is_done_when_all_have(people):
    for n, source in enumerate(SHARDS):
        people.accept(f"r{n}", source, item(7 + n), item(50 + n, "Other", OTHER, "o@example.com"))
    assert people.erase(PersonQuery(phone=PHONE)).started
    people.work("00", "02")
    assert people.erasure().state == "running"
    people.lose("01")
    assert people.erasure().state == "running"
    assert "shard 01 is away" in people.erasure().waits
    people.bring_back("01")
    people.work("01", "00")
    assert people.erasure().state == "done"
    assert people.left() == []
    assert people.run(read_action(people.whole.store, people.erasure().id)).results
    kept = people.passport(PersonQuery(phone=OTHER), thorough=True)
    assert {event.source for event in kept.events} == set(SHARDS)


def test_an_erasure_begins_where_all_shards_can_say_whom_it_is_about(people):
    people.accept("r1", "acme", item(7))
    people.lose("01")
    with pytest.raises(StoreUnavailable, match="shard 01 is away: an erasure begins when all can say"):
        people.erase(PersonQuery(phone=PHONE))
    query = PersonQuery(phone=PHONE)
    preview = people.run(preview_erasure(people.whole.reader, CONFIG, people.known(query), query, 60))
    assert (preview.events, preview.complete) == (1, False)
    assert people.run(read_erasures(people.whole.store, people.whole.reader, 10, CONFIG.sinks)) == []


def test_a_command_shows_a_person_of_all_shards_and_with_relay_shard_of_one(people, command, monkeypatch, tmp_path):
    people.accept("r1", "acme", item(7))
    people.accept("r2", "bigco", item(8))
    (tmp_path / "relay.yaml").write_text(YAML)
    monkeypatch.setenv("RELAY_CONFIG", "relay.yaml")
    monkeypatch.setenv("RELAY_SECRET_KEY", SECRET)
    shown = json.loads(command("people", "show", "--phone", PHONE, "--json", "--by", "anna")[0])
    assert {event["source"] for event in shown["events"]} == {"acme", "bigco"}
    monkeypatch.setenv("RELAY_SHARD", "01")
    shown = json.loads(command("people", "show", "--phone", PHONE, "--json", "--by", "anna")[0])
    assert {event["source"] for event in shown["events"]} == {"bigco"}
