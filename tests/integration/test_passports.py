"""A person's passport: which hooks speak of them, which sinks were sent which fields, and when."""

import json

import pytest

from relay.amocrm.form import encode_form
from relay.model import Outcome
from relay.secret import SecretStr
from workers.people_indexer import PeopleIndexer

SECRET = "a-secret-key-of-thirty-two-letters"
PHONE, EMAIL = "+79161234567", "anna.petrova@example.com"
YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
routes:
  - name: people
    on: [add_contact, update_contact]
    to: books
    path: /people
    body: {name: "{{ contact.name }}", to: "{{ contact.phone }}"}
"""


def contact(id: int, phone: str = "", email: str = "", name: str = "Anna", action: str = "add") -> bytes:
    fields = [
        {"id": str(n), "name": label, "code": code, "values": [{"value": value}]}
        for n, (label, code, value) in enumerate([("Телефон", "PHONE", phone), ("Email", "EMAIL", email)])
        if value
    ]
    return encode_form({"contacts": {action: [{"id": str(id), "name": name, "custom_fields": fields}]}})


@pytest.fixture
def indexed(run, relay, monkeypatch):
    """Index all that has arrived."""
    relay.configure(YAML)
    monkeypatch.setenv("RELAY_SECRET_KEY", SECRET)
    indexer = PeopleIndexer(relay.store, SecretStr(SECRET))

    def whole() -> None:
        while run(indexer.index_batch(indexer._key, 1 << 52)):
            pass

    return whole


def passport(relay, *arguments: str) -> dict:
    status, printed = relay.command("people", "show", *arguments, "--json", "--reveal")
    assert status == 0, printed
    return json.loads(printed[: printed.rindex("}") + 1])


def test_it_says_which_hook_which_sink_when_and_which_fields(relay, indexed):
    first, _ = relay.accept(contact(1, "8 (916) 123-45-67", EMAIL), contact(2, "+79265554433"))
    relay.settle(Outcome.DELIVERED, "books")
    indexed()
    found = passport(relay, "--phone", PHONE)
    assert (found["found_by"], found["contacts"], found["next"]) == ("index", ["acme:1"], None)
    (event,) = found["events"]
    assert (event["id"], event["event"], event["source"]) == (f"{first}.0", "add_contact", "acme")
    assert event["fields"]["custom_fields.Телефон"] == "8 (916) 123-45-67"
    (delivery,) = event["deliveries"]
    assert (delivery["sink"], delivery["state"]) == ("books", "delivered")
    assert delivery["fields"]["body.to"] == "8 (916) 123-45-67"
    assert delivery["finished_at"] > 0


def test_the_number_and_the_address_of_one_contact_are_one_person(relay, indexed):
    relay.accept(contact(1, PHONE, EMAIL), contact(1, email="new@example.com", action="update"))
    indexed()
    by_phone = passport(relay, "--phone", PHONE)
    assert [one["event"] for one in by_phone["events"]] == ["update_contact", "add_contact"]
    assert [one["id"] for one in passport(relay, "--email", "new@example.com")["events"]] == [
        one["id"] for one in by_phone["events"]
    ]
    assert [one["id"] for one in passport(relay, "--contact", "1")["events"]] == [
        one["id"] for one in by_phone["events"]
    ]


def test_what_is_not_in_the_index_yet_is_looked_through(relay, indexed):
    relay.accept(contact(1, PHONE))
    indexed()
    late = relay.accept(contact(7, PHONE))[0]
    assert passport(relay, "--phone", PHONE)["events"][0]["id"] == f"{late}.0"


def test_without_a_secret_key_all_hooks_are_looked_through_in_steps(relay, indexed, monkeypatch):
    monkeypatch.delenv("RELAY_SECRET_KEY")
    first = relay.accept(contact(1, PHONE))[0]
    relay.accept(*[contact(n, "+79265554433") for n in range(2, 9)])
    found = passport(relay, "--phone", "89161234567")
    assert (found["found_by"], found["looked"], found["total"]) == ("all", 8, 8)
    assert [one["id"] for one in found["events"]] == [f"{first}.0"]


def test_a_list_goes_on_where_it_stopped(relay, indexed):
    ids = relay.accept(*[contact(1, PHONE, name=f"Anna {n}") for n in range(5)])
    indexed()
    seen, after = [], ()
    for _ in range(9):
        found = passport(relay, "--phone", PHONE, "--limit", "2", *after)
        seen += [one["id"] for one in found["events"]]
        if found["next"] is None:
            break
        after = ("--after", found["next"])
    assert list(dict.fromkeys(seen)) == [f"{id}.0" for id in reversed(ids)]


def test_what_is_packed_is_in_it(run, relay, indexed, monkeypatch):
    monkeypatch.setattr("relay.store.packed.PACKED_AFTER_MS", -60_000)
    first = relay.accept(contact(1, PHONE))[0]
    relay.settle(Outcome.DELIVERED, "books")
    indexed()
    run(relay.store.packing.pack_next(1 << 52, 20, -60_000))
    assert run(relay.store.client.exists(relay.store.keys.packed(first)))
    (event,) = passport(relay, "--phone", PHONE)["events"]
    assert event["deliveries"][0]["fields"]["body.name"] == "Anna"


def test_a_hook_that_could_not_be_read_is_named(relay, indexed):
    (broken,) = relay.accept(b"note=call+%2B7+916+123-45-67")
    indexed()
    found = passport(relay, "--phone", PHONE)
    assert (found["events"], found["unreadable"]) == ([], [broken])


def test_it_is_masked_unless_asked_and_always_recorded(run, relay, indexed):
    relay.accept(contact(1, PHONE, EMAIL))
    indexed()
    _, printed = relay.command("people", "show", "--phone", PHONE, "--by", "anna", "--why", "she asked")
    assert "Телефон" in printed
    assert PHONE not in printed
    assert EMAIL not in printed
    (entry,) = run(relay.store.acts.audit(10))
    assert (entry.act, entry.what, entry.by, entry.why) == ("reveal", "person phone +7***4567", "anna", "she asked")
    _, printed = relay.command("people", "show", "--phone", PHONE, "--reveal")
    assert EMAIL in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say who"),
        (("--phone", "12"), "is no phone number"),
        (("--email", "anna"), "is no e-mail address"),
        (("--contact", "a;b"), "is no id"),
    ],
)
def test_what_means_nobody_is_refused(relay, indexed, arguments, said):
    status, printed = relay.command("people", "show", *arguments)
    assert status == 2
    assert said in printed
