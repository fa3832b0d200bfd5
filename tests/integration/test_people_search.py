"""A phone number or an e-mail address finds its events, in every spelling, by an index that names nobody."""

import json

import pytest

from relay.amocrm.form import encode_form
from relay.operations.people_keys import PeopleKey
from relay.operations.search import EventFilter, find_deliveries, find_events
from relay.operations.search_terms import read_terms
from relay.secret import SecretStr
from relay.sinks.sms.phone_numbers import parse_phone
from relay.store.people import PeopleIndex, Reach
from workers import people_indexer
from workers.people_indexer import PeopleIndexer

SECRET = "a-secret-key-of-thirty-two-letters"
YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
routes:
  - name: invoices
    on: [add_contact, add_lead]
    to: books
    path: /people
    body: {manager: "+7 921 555-00-11", name: "{{ event.name }}"}
"""


@pytest.fixture
def key() -> PeopleKey:
    return PeopleKey(SecretStr(SECRET))


@pytest.fixture
def index(run, relay, key):
    """Index all that has arrived."""
    relay.configure(YAML)
    indexer = PeopleIndexer(relay.store, SecretStr(SECRET))

    def whole(key: PeopleKey = key) -> None:
        while run(indexer.index_batch(key, 1 << 52)):
            pass

    return whole


def contact(id: int, phone: str = "", email: str = "") -> bytes:
    fields = [
        {"id": str(n), "code": code, "values": [{"value": value}]}
        for n, (code, value) in enumerate([("PHONE", phone), ("EMAIL", email)])
        if value
    ]
    return encode_form({"contacts": {"add": [{"id": str(id), "name": "Anna", "custom_fields": fields}]}})


@pytest.mark.parametrize(
    "typed", ["+79161234567", "8 (916) 123-45-67", "9161234567", "7 916 123 45 67", "+7-916-123-45-67"]
)
@pytest.mark.parametrize("stored", ["+7 916 123-45-67", "89161234567", "(916) 123-45-67"])
def test_a_number_is_found_in_every_spelling(key, typed, stored):
    assert key.hash_phone(typed) == key.hash_phone(stored)
    assert key.hash_phone(stored) == key.hash_phone(parse_phone(stored)), "as sinks read it"


def test_a_number_and_an_address_find_their_events_and_deliveries(run, relay, index, key):
    first, second = relay.accept(contact(1, "8 (916) 123-45-67"), contact(2, email="Anna@Example.com"))
    index()
    by_phone = run(find_events(relay.reader, EventFilter(person=key.hash_phone("+79161234567"))))
    assert [one.id for one in by_phone.items] == [f"{first}.0"]
    by_email = run(find_deliveries(relay.reader, EventFilter(person=key.hash_email("anna@example.com"))))
    assert [one.event_id for one in by_email.items] == [f"{second}.0"]
    assert by_phone.total == 1


def test_who_is_only_in_what_is_sent_is_found_too(run, relay, index, key):
    relay.accept_leads(5)
    index()
    found = run(find_events(relay.reader, EventFilter(person=key.hash_phone("89215550011"))))
    assert [one.event.entity_id for one in found.items if one.event] == ["5"]


def test_the_store_names_nobody_in_the_index(run, relay, index):
    relay.accept(contact(1, "8 (916) 123-45-67", "anna@example.com"))
    index()
    names = [name.decode() for name in run(relay.store.client.keys(relay.store.keys.prefix + "people*"))]
    assert len(names) >= 3
    assert not any("916" in name or "anna" in name for name in names)


def test_the_index_goes_with_its_receipt(run, relay, index):
    relay.accept(contact(1, "8 (916) 123-45-67"))
    index()
    for one in relay.deliveries("r0000"):
        relay.command("deliveries", "cancel", one.id)
    assert run(relay.store.retention.apply(0, 0, 0)).removed == 1
    assert run(relay.store.client.keys(relay.store.keys.prefix + "people:*")) == []


@pytest.mark.parametrize("mark", [("died", 1), ("state", "quarantined")])
def test_a_hook_at_which_a_worker_died_is_not_decoded_here(run, relay, index, monkeypatch, mark):
    good, bad = relay.accept(contact(1, "+79161234567"), contact(2, "+79261234567"))
    run(relay.store.client.hset(relay.store.keys.receipt(bad), *mark))
    decoded, decode = [], people_indexer.events_of_receipt
    monkeypatch.setattr(
        people_indexer, "events_of_receipt", lambda receipt: decoded.append(receipt.id) or decode(receipt)
    )
    index()
    assert decoded == [good]
    run(relay.store.client.hset(relay.store.keys.receipt(bad), mapping={"died": 0, "state": "routed"}))


def test_what_was_removed_meanwhile_is_not_indexed(run, relay, index, key):
    relay.accept(contact(1, "8 (916) 123-45-67"))
    people = PeopleIndex(relay.store.client, relay.store.namespace)
    row = people_indexer.PersonRow("r-gone", 0, [key.hash_phone("89161234567")])
    run(people.write([row], Reach(key=key.name), 0))
    assert run(relay.store.client.keys(relay.store.keys.prefix + "people:*")) == []


def test_a_batch_goes_on_where_the_one_before_ended(run, relay, index, key, monkeypatch):
    """All hooks of a group arrive in one millisecond."""
    monkeypatch.setattr(people_indexer, "BATCH", 4)
    relay.accept(*[contact(n, f"8 916 000-00-{n:02}") for n in range(10, 21)])
    index()
    for n in range(10, 21):
        page = run(find_events(relay.reader, EventFilter(person=key.hash_phone(f"+791600000{n}"))))
        assert len(page.items) == 1, n


def test_under_another_key_the_index_is_made_anew(run, relay, index, key):
    relay.accept(contact(1, "8 (916) 123-45-67"))
    index()
    other = PeopleKey(SecretStr("another-secret-key-of-32-letters"))
    assert other.hash_phone("89161234567") != key.hash_phone("89161234567")
    index(other)
    assert len(run(find_events(relay.reader, EventFilter(person=other.hash_phone("89161234567")))).items) == 1


def test_the_command_takes_a_number_and_says_what_is_wrong(relay, index, monkeypatch):
    relay.accept(contact(1, "8 (916) 123-45-67", "anna@example.com"))
    index()
    status, told = relay.command("events", "list", "--phone", "89161234567")
    assert status == 2
    assert "RELAY_SECRET_KEY" in told
    monkeypatch.setenv("RELAY_SECRET_KEY", SECRET)
    for option in (["--phone", "+7 916 1234567"], ["--email", "ANNA@example.com"]):
        for group in ("events", "deliveries"):
            assert len(json.loads(relay.command(group, "list", "--json", *option)[1])) == 1
    for option in (["--phone", "12"], ["--email", "nobody"], ["--phone", "89161234567", "--email", "a@b.com"]):
        assert relay.command("events", "list", *option)[0] == 2


def test_the_search_box_takes_them_too(key):
    found = read_terms("phone:89161234567 sink:books", 0, 20, key)
    assert (found.filter.person, found.filter.sink) == (key.hash_phone("+79161234567"), "books")
    assert "RELAY_SECRET_KEY" in read_terms("email:anna@example.com", 0, 20).problems[0]
    assert read_terms("phone:12", 0, 20, key).problems


def test_a_text_is_found_in_hooks_and_it_says_how_far_it_looked(relay):
    relay.configure(YAML)
    relay.accept(contact(1, email="anna@example.com"), contact(2))
    found = json.loads(relay.command("events", "list", "--text", "ANNA@", "--json")[1])
    assert [one["entity_id"] for one in found] == ["1"]
    assert len(json.loads(relay.command("events", "list", "--text", "anna", "--json")[1])) == 2
    assert json.loads(relay.command("events", "list", "--route", "invoices", "--text", "nobody", "--json")[1]) == []
