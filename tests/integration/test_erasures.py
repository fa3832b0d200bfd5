"""Erasing a person: nothing of them is left in the store, what is to be sent ends, and who can be asked is asked."""

import gzip
import json
import re
import zlib
from urllib.parse import quote

import msgspec
import pytest

from relay.amocrm.events import decode_receipt
from relay.amocrm.form import encode_form
from relay.events import decode_events
from relay.model import Outcome
from relay.operations.actions import read_action, stored_action
from relay.operations.erasure_diagnosis import LATE_MS, diagnose_erasures
from relay.planning import plan_receipts
from relay.secret import SecretStr
from relay.sinks.registry import make_sinks
from relay.sinks.unisender.content import Contact
from relay.store.packing import unpack
from relay.store.records import Settlement
from relay.store.requests import sink_claim_request
from tests.integration.action_runs import no_account
from tests.integration.store.shapes import attempt, hook, settlement
from workers.actions import ActionRunner
from workers.people_indexer import PeopleIndexer

SECRET = "a-secret-key-of-thirty-two-letters"
PHONE, EMAIL, NAME = "+79161234567", "marker.petrova@example.com", "Marker Petrova"
MARKERS = ("9161234567", "marker.petrova", "Marker", "arkernote", "916 123")
OTHER = "+79265554433"
YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
  list: {type: unisender, api_key: a-key-of-unisender, list_ids: [7], double_optin: 3}
routes:
  - name: people
    on: [add_contact, update_contact]
    to: books
    path: /people
    body: {name: "{{ contact.name }}", to: "{{ contact.phone }}"}
  - name: letters
    on: add_contact
    to: list
    fields: {email: "{{ contact.email }}", phone: "{{ contact.phone }}"}
  - name: leads
    on: add_lead
    to: books
    once: "{{ lead.name }}"
    body: {title: "{{ lead.name }}"}
"""


def item(id: int, name: str = NAME, phone: str = PHONE, email: str = EMAIL) -> dict:
    fields = [
        {"id": str(n), "name": label, "code": code, "values": [{"value": value, "enum": "1"}]}
        for n, (label, code, value) in enumerate([("Телефон", "PHONE", phone), ("Email", "EMAIL", email)])
        if value
    ]
    return {"id": str(id), "name": name, "last_modified": "1763049630", "custom_fields": fields}


def contacts(*items: dict, action: str = "add") -> bytes:
    return encode_form({"account": {"subdomain": "acme"}, "contacts": {action: list(items)}})


class Erased:
    """A relay whose erasures are worked off in this process."""

    def __init__(self, run, relay, secret=SECRET) -> None:
        self.run, self.relay, self.store = run, relay, relay.store
        self.secret = SecretStr(secret) if secret else None

    def index(self) -> None:
        indexer = PeopleIndexer(self.store, self.secret)
        while self.run(indexer.index_batch(indexer._key, 1 << 52)):
            pass

    def start(self, *who: str) -> str:
        status, printed = self.relay.command(
            "people", "erase", *who, "--yes", "--json", "--by", "anna", "--why", "asked"
        )
        assert status == 0, printed
        return json.loads(printed[printed.index("{") : printed.rindex("}") + 1])["action"]["id"]

    def work(self) -> None:
        """Do all that may be done now, without waiting for what an action waits for."""
        runner = ActionRunner(lambda: self.relay.config, self.store, no_account, lambda: False, self.secret)
        while jobs := self.run(self.store.claim_jobs("w:j", 1, 60_000)).items:
            for job in jobs:
                again = self.run(runner.run(job)) if job.kind == "action" else 60_000
                self.run(self.store.finish_job(job, again))
        self.run(self.store.client.zadd(self.store.keys.due("jobs"), {"action:x": 1}, xx=True))

    def work_again(self, id: str) -> None:
        """Do what is due of an action that waits, as if its time had come."""
        self.run(self.store.client.zadd(self.store.keys.due("jobs"), {f"action:{id}": 1}, xx=True))
        self.work()

    def action(self, id: str):
        return self.run(read_action(self.store, id))

    def dump(self) -> str:
        """Return all that the store has: keys and values, unpacked where they are compressed."""
        return self.run(dump(self.store))

    def left(self) -> list[str]:
        everything = self.dump().lower()
        return [one for one in MARKERS if one.lower() in everything]


async def dump(store) -> str:
    texts: list[bytes] = []
    client = store.client
    for key in await client.keys(store.keys.prefix + "*"):
        texts.append(key)
        kind = (await client.type(key)).decode()
        if kind == "string":
            texts += expanded(key, await client.get(key))
        elif kind == "hash":
            for name, value in (await client.hgetall(key)).items():
                texts += [name, value]
        elif kind == "list":
            texts += await client.lrange(key, 0, -1)
        elif kind == "zset":
            texts += await client.zrange(key, 0, -1)
        elif kind == "set":
            texts += await client.smembers(key)
        elif kind == "stream":
            texts += [text for _, fields in await client.xrange(key) for pair in fields.items() for text in pair]
    return "\n".join(text.decode(errors="replace") for text in texts)


def expanded(key: bytes, value: bytes) -> list[bytes]:
    if b":p:" in key:
        records = unpack(key.rpartition(b":p:")[2].decode(), value)
        texts = [records.body, *records.contents.values(), *records.fields, *records.fields.values()]
        for one in records.deliveries.values():
            texts += [*one.fields.values(), *one.story]
        return texts
    try:
        return [zlib.decompress(value)]
    except zlib.error:
        return [value]


@pytest.fixture
def erased(run, relay, monkeypatch) -> Erased:
    relay.configure(YAML)
    monkeypatch.setenv("RELAY_SECRET_KEY", SECRET)
    return Erased(run, relay)


@pytest.mark.parametrize("who", [("--phone", PHONE), ("--email", EMAIL), ("--contact", "1")])
def test_nothing_of_a_person_is_left(run, erased, relay, who):
    relay.accept(contacts(item(1)), contacts(item(2, name="Boris", phone=OTHER, email="")))
    relay.settle(Outcome.DELIVERED, "books")
    erased.index()
    assert "Marker" in erased.left()
    id = erased.start(*who)
    erased.work()
    for one in relay.settle(Outcome.DELIVERED, "list"):
        assert msgspec.json.decode(one.content, type=Contact).action in ("subscribe", "exclude")
    erased.work_again(id)
    assert (erased.left(), erased.action(id).state) == ([], "done")
    assert "Boris" in erased.dump()
    assert erased.run(relay.reader.receipts(["r0000"]))[0].events[0].entity_id == "1"


def test_others_in_the_same_hook_stay_and_it_decodes_as_before(run, erased, relay):
    body = contacts(item(1), item(2, name="Boris", phone=OTHER, email="boris@example.com"))
    (receipt,) = relay.accept(body)
    before = decode_receipt(run(relay.reader.raw_receipt(receipt)))
    id = erased.start("--phone", PHONE)
    relay.settle(Outcome.DELIVERED, "list")
    erased.work()
    account, events = decode_receipt(run(relay.reader.raw_receipt(receipt)))
    assert account == before[0]
    assert [(one.name, one.entity_id) for one in events] == [(one.name, one.entity_id) for one in before[1]]
    assert events[1].data == before[1][1].data
    assert events[0].data["name"] == "erased"
    assert events[0].data["last_modified"] == "1763049630"
    assert [one["name"] for one in events[0].data["custom_fields"]] == ["Телефон", "Email"]
    relay.settle(Outcome.DELIVERED, "list")
    erased.work_again(id)
    assert erased.left() == []


def test_a_repetition_of_an_erased_hook_is_still_a_duplicate(run, erased, relay):
    body = contacts(item(1))
    relay.accept(body)
    erased.start("--phone", PHONE)
    erased.work()
    answer = run(erased.store.accept([hook("r9", body, timed=True)]))
    assert answer.answers == [("r0000", True)]


@pytest.mark.parametrize("outcome", [None, Outcome.RETRY, Outcome.UNKNOWN, Outcome.REJECTED])
def test_what_is_to_be_sent_ends(run, erased, relay, outcome):
    (receipt,) = relay.accept(contacts(item(1), action="update"))
    if outcome:
        relay.settle(outcome, "books")
    id = erased.start("--phone", PHONE)
    erased.work()
    (delivery,) = relay.deliveries(receipt)
    assert delivery.state == "cancelled"
    assert (erased.left(), erased.action(id).state) == ([], "done")
    results = {"erased": 1, "not asked": 1} if outcome else {"erased": 1}
    assert erased.action(id).results == results
    _, printed = relay.command("deliveries", "resend", delivery.id)
    assert "no content to send" in printed


def test_what_is_in_flight_is_waited_for_and_not_sent_again(run, erased, relay):
    (receipt,) = relay.accept(contacts(item(1), action="update"))
    (held,) = run(erased.store.claim_deliveries(sink_claim_request("books", "w", 9, 60_000, 0, []))).items
    id = erased.start("--phone", PHONE)
    erased.work()
    action = erased.action(id)
    assert action.state == "running"
    assert f"delivery {held.id} to books is in flight, at most until" in action.waits
    assert "Marker" in erased.left()
    run(erased.store.settle("books", [settlement(held, Outcome.RETRY)], {}))
    erased.work_again(id)
    assert erased.action(id).state == "done"
    (delivery,) = relay.deliveries(receipt)
    assert (delivery.state, erased.left()) == ("cancelled", [])


def test_a_sink_that_can_forget_is_asked_once_by_a_delivery(run, erased, relay):
    relay.accept(contacts(item(1)), contacts(item(1, name="Marker P.")))
    relay.settle(Outcome.DELIVERED, "books", "list")
    id = erased.start("--phone", PHONE)
    erased.work()
    assert "1 sinks are still to be asked, list" in erased.action(id).waits
    (asked,) = run(erased.store.claim_deliveries(sink_claim_request("list", "w", 9, 60_000, 0, []))).items
    contact = msgspec.json.decode(asked.content, type=Contact)
    assert (contact.action, contact.email, contact.phone) == ("exclude", EMAIL, PHONE)
    assert asked.route == "erasure"
    run(erased.store.settle("list", [settlement(asked, Outcome.DELIVERED)], {}))
    erased.work_again(id)
    assert (erased.action(id).state, erased.left()) == ("done", [])
    assert erased.action(id).results == {"erased": 2, "new": 1, "not asked": 2}


@pytest.mark.parametrize("allowed", ["", "[add_contact, delete_contact]", "[add_contact]"])
def test_a_subscriber_gets_a_delete_event_where_it_subscribed_to_them_and_they_may_go_out(run, erased, relay, allowed):
    if allowed:
        relay.configure(YAML + f"subscribers: {{allowed_events: {allowed}}}\n")
    run(
        erased.store.subscriptions.subscribe("acme", "https://crm.example.com/h", ["add_contact", "delete_contact"], "")
    )
    (subscription,) = run(erased.store.subscriptions.list("acme"))
    run(erased.store.registry.add_sinks({subscription.sink: "subscriber"}))
    run(erased.store.accept([hook("r1", contacts(item(1)))]))
    items = run(erased.store.claim_receipts("router", 9, 60_000)).items
    subscribed = {"acme": [subscription]}
    run(erased.store.save_routed("router", plan_receipts(items, relay.config, make_sinks(relay.config), subscribed)))
    relay.settle(Outcome.DELIVERED, "books", "list", subscription.sink)
    id = erased.start("--contact", "1")
    erased.work()
    asked = relay.settle(Outcome.DELIVERED, subscription.sink)
    if allowed == "[add_contact]":
        assert (asked, erased.action(id).results["not asked"]) == ([], 2)
    else:
        assert b"contacts%5Bdelete%5D%5B0%5D%5Bid%5D=1" in asked[0].content
    relay.settle(Outcome.DELIVERED, "list")
    erased.work_again(id)
    assert (erased.action(id).state, erased.left()) == ("done", [])


def test_what_is_packed_and_what_could_not_be_read_goes_too(run, erased, relay):
    packed, _ = relay.accept(contacts(item(1), action="update"), b"markernote=call+%2B7+916+123-45-67")
    relay.settle(Outcome.DELIVERED, "books")
    erased.index()
    run(erased.store.packing.pack_next(1 << 52, 20, -60_000))
    assert run(erased.store.client.exists(erased.store.keys.packed(packed)))
    id = erased.start("--phone", PHONE)
    erased.work()
    assert (erased.left(), erased.action(id).state) == ([], "done")
    assert run(relay.reader.receipts(["r0001"]))[0].state == "malformed"


WAYS = {
    "a form": "note=call+%2B7+916+123-45-67",
    "a form in a form": "note=" + quote("text=" + quote("+79161234567, Marker", safe=""), safe=""),
    "JSON": r'{"note": "\u041c \u002b79161234567',
    "JSON with every letter escaped": '{"m": "' + "".join(f"\\u{ord(one):04x}" for one in EMAIL),
    "JSON in a form": "body=" + quote(r'{"m": "\u006darker.petrova@example.com"', safe=""),
    "bare digits": "note=tel 89161234567;",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", ["malformed", "quarantined"])
def test_what_nobody_decodes_is_searched_as_it_may_be_written(run, erased, relay, way, state):
    (receipt,) = relay.accept(WAYS[way].encode())
    put_aside(erased, receipt, state)
    id = erased.start("--phone", PHONE, "--email", EMAIL)
    erased.work()
    assert erased.action(id).results == {"erased": 1}
    assert run(relay.reader.raw_receipt(receipt)).body == b"erased"


def put_aside(erased, receipt: str, state: str) -> None:
    """Make a malformed hook one that has killed its workers, where that is meant."""
    keys, client = erased.store.keys, erased.store.client
    (stored,) = erased.run(erased.relay.reader.receipts([receipt]))
    assert stored.state == "malformed"
    if state == "quarantined":
        erased.run(client.hset(keys.receipt(receipt), mapping={"state": state, "dead": 1}))
        erased.run(client.zrem(keys.receipts_in("malformed"), receipt))
        erased.run(client.zadd(keys.receipts_in(state), {receipt: stored.received_at}))
        erased.run(client.zadd(keys.finished_dead, {receipt: erased.run(client.zscore(keys.finished, receipt))}))
        erased.run(client.zrem(keys.finished, receipt))


@pytest.mark.parametrize(
    "body", [b'name="contacts[add][0][id]"\r\n\r\n25399013', b'{"contacts": {"add": [{"id": 25399013, ']
)
def test_what_nobody_decodes_is_searched_for_the_ids_of_contacts(run, erased, relay, body):
    found, other = relay.accept(body, body.replace(b"25399013", b"253990131"))
    for one in (found, other):
        put_aside(erased, one, "malformed")
    id = erased.start("--contact", "25399013")
    erased.work()
    assert erased.action(id).results == {"erased": 1}
    assert run(relay.reader.raw_receipt(other)).body != b"erased"


def test_what_killed_its_workers_is_not_inflated_and_reported(run, erased, relay, monkeypatch):
    packed = gzip.compress(b"note=call+%2B7+916+123-45-67")
    killer, other = relay.accept(packed, packed)
    put_aside(erased, killer, "quarantined")
    put_aside(erased, other, "malformed")
    id = erased.start("--phone", PHONE)
    erased.work()
    assert erased.action(id).results == {"erased": 1, "unread": 1}
    assert run(relay.reader.raw_receipt(killer)).body == packed
    _, printed = relay.command("actions", "show", id)
    assert "1 not looked into: compressed, and it killed its workers" in printed


def test_what_could_be_read_in_part_only_is_searched_whole(run, erased, relay):
    body = contacts(item(2, name="Boris", phone=OTHER, email="")) + b"&Marker+note+%2B79161234567=1&[="
    (receipt,) = relay.accept(body)
    remarks = run(erased.store.client.hget(erased.store.keys.receipt(receipt), "remarks"))
    assert remarks, "something of it was not read"
    erased.start("--phone", PHONE)
    erased.work()
    assert erased.left() == []
    stored = run(relay.reader.receipts([receipt]))[0]
    assert [one.entity_id for one in stored.events] == ["2"]


def test_what_was_erased_is_not_sent_again_by_a_replay(run, erased, relay):
    (receipt,) = relay.accept(contacts(item(1), action="update"))
    relay.settle(Outcome.DELIVERED, "books")
    erased.start("--phone", PHONE)
    erased.work()
    _, printed = relay.command("replay", receipt, "--force", "--yes")
    assert "a person was taken out of them" in printed
    assert relay.deliveries(receipt)[0].state == "delivered"


def test_a_killed_worker_leaves_nothing_half_done(run, erased, relay, monkeypatch):
    relay.accept(*[contacts(item(1, name=f"Marker {n}"), action="update") for n in range(4)])
    relay.settle(Outcome.DELIVERED, "books")
    id = erased.start("--phone", PHONE)
    erase, calls = erased.store.erasing.erase, []

    async def killed(erasure, action):
        calls.append(erasure)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return await erase(erasure, action)

    monkeypatch.setattr(erased.store.erasing, "erase", killed)
    with pytest.raises(KeyboardInterrupt):
        erased.work()
    assert "Marker" in erased.left()
    run(erased.store.end_leases("w", sending=False))
    erased.work_again(id)
    assert (erased.left(), erased.action(id).state) == ([], "done")
    assert erased.action(id).results["erased"] == 4


def test_without_a_secret_key_it_works_and_leaves_no_key(run, relay):
    relay.configure(YAML)
    erased = Erased(run, relay, secret="")
    relay.accept(contacts(item(1), action="update"))
    id = erased.start("--phone", "8 916 123-45-67")
    erased.work()
    assert (erased.left(), erased.action(id).state) == ([], "done")
    assert not run(erased.store.client.hexists(erased.store.keys.action(id), "secret"))


@pytest.mark.parametrize(("again", "runs"), [(PHONE, True), (OTHER, False)])
def test_without_a_secret_key_too_one_person_is_erased_once_at_a_time(run, relay, again, runs):
    relay.configure(YAML)
    erased = Erased(run, relay, secret="")
    relay.accept(contacts(item(1), action="update"), contacts(item(2, phone=OTHER, email=""), action="update"))
    id = erased.start("--phone", PHONE)
    _, printed = relay.command("people", "erase", "--phone", again, "--yes")
    assert (f"a erase of the same has not ended, action {id}" in printed) is runs
    assert len(run(erased.store.actions.newest(5))) == (1 if runs else 2)


def test_the_record_has_who_and_why_and_not_whom(run, erased, relay):
    relay.accept(contacts(item(1), action="update"))
    id = erased.start("--phone", PHONE)
    erased.work()
    started = run(erased.store.acts.audit(10))[-1]
    assert (started.act, started.what, started.by, started.why) == ("start erase", f"action {id}", "anna", "asked")
    assert erased.action(id).request.person.described == "phone +7***4567"


def test_a_sink_that_left_the_file_is_named_before_and_in_the_record(run, erased, relay):
    relay.accept(contacts(item(1), action="update"))
    relay.settle(Outcome.DELIVERED, "books")
    relay.configure(YAML.replace("books", "ledger"))
    _, printed = relay.command("people", "erase", "--phone", PHONE, "--dry-run")
    assert "in no configuration any more: books; put them back into the file first" in printed
    erased.start("--phone", PHONE)
    erased.work()
    _, printed = relay.command("people", "erasures")
    assert "not asked books, which was sent 1 and is in no configuration any more: that is to be done there" in printed
    relay.configure(YAML)
    _, printed = relay.command("people", "erasures")
    assert "not asked books, which was sent 1 and cannot be asked: that is to be done there" in printed


def test_it_is_shown_before_and_not_done_without_a_yes(run, erased, relay):
    relay.accept(contacts(item(1), action="update"))
    status, printed = relay.command("people", "erase", "--phone", PHONE)
    assert status == 2
    assert "it cannot be undone" in printed
    _, printed = relay.command("people", "erase", "--phone", PHONE, "--dry-run")
    assert "1 event(s)" in printed
    assert "backups keep the person" in printed
    assert "Marker" in erased.left()


def test_what_asks_a_sink_is_never_put_off(run, erased, relay):
    relay.accept(contacts(item(1)))
    relay.settle(Outcome.DELIVERED, "books", "list")
    run(erased.store.registry.add_sinks({"list": "unisender"}, {"list": 1}))
    relay.accept(contacts(item(2, name="Boris", phone=OTHER, email="boris@example.com")))
    id = erased.start("--phone", PHONE)
    erased.work()
    assert erased.action(id).results["new"] == 1
    assert "1 sinks are still to be asked, list" in erased.action(id).waits
    relay.settle(Outcome.DELIVERED, "list")
    erased.work_again(id)
    assert (erased.action(id).state, erased.left()) == ("done", [])


def problems_of(erased, after_ms: int = 0) -> dict[str, str]:
    stored = erased.run(erased.store.actions.open_erasures())
    now = erased.run(erased.relay.reader.now()) + after_ms
    return {one.kind: one.cause for one in diagnose_erasures(map(stored_action, stored), now)}


def test_a_request_that_died_is_a_problem_until_it_is_sent_or_somebody_says_why_not(run, erased, relay):
    relay.accept(contacts(item(1)))
    relay.settle(Outcome.DELIVERED, "books", "list")
    id = erased.start("--phone", PHONE)
    erased.work()
    assert problems_of(erased) == {}, "it may take a while"
    (asked,) = relay.settle(Outcome.REJECTED, "list")
    erased.work_again(id)
    waits = f"1 sinks are still to be asked, list: delivery {asked.id} is dead"
    assert problems_of(erased, LATE_MS + 1) == {"erasure-open": waits}
    _, printed = relay.command("people", "erasures")
    assert f"waits: {waits}" in printed
    assert re.search(rf"asked list: dead: .*  {asked.id}\n", printed)
    assert "not asked books, which was sent 1" in printed
    _, printed = relay.command("actions", "abort", id)
    assert "say why" in printed
    relay.command("actions", "abort", id, "--why", "UniSender was told by letter", "--by", "anna")
    assert (problems_of(erased, LATE_MS + 1), erased.action(id).state) == ({}, "aborted")
    assert run(erased.store.acts.audit(1))[0].why == "UniSender was told by letter"


def test_a_request_that_retention_removed_is_no_answer(run, erased, relay):
    relay.accept(contacts(item(1)))
    relay.settle(Outcome.DELIVERED, "books", "list")
    id = erased.start("--phone", PHONE)
    erased.work()
    relay.settle(Outcome.REJECTED, "list")
    erased.work_again(id)
    run(erased.store.retention.apply(0, 0, 0, 100))
    erased.work_again(id)
    action = erased.action(id)
    assert (action.state, action.problem[:40]) == ("failed", "1 sinks are not known to have forgotten ")
    assert list(problems_of(erased)) == ["erasure-failed"]
    run(erased.store.actions.retire(0, 0, 100))
    assert list(problems_of(erased)) == ["erasure-failed"], "one that failed is kept until somebody has seen to it"


def test_an_erasure_that_failed_is_over_with_one_of_the_same(run, erased, relay):
    relay.accept(contacts(item(1), action="update"))
    id = erased.start("--phone", PHONE)
    erased.secret = SecretStr("another-key-of-thirty-two-letters")
    erased.work()
    assert problems_of(erased) == {"erasure-failed": erased.action(id).problem}
    erased.secret = SecretStr(SECRET)
    erased.start("--phone", PHONE)
    erased.work()
    assert (problems_of(erased), erased.left()) == ({}, [])


def test_a_killed_worker_s_record_still_names_who_cannot_be_asked(run, erased, relay, monkeypatch):
    relay.accept(contacts(item(1), action="update"))
    relay.settle(Outcome.DELIVERED, "books")
    id = erased.start("--phone", PHONE)
    save = erased.store.actions.save_progress
    monkeypatch.setattr(erased.store.actions, "save_progress", killed)
    with pytest.raises(KeyboardInterrupt):
        erased.work()
    monkeypatch.setattr(erased.store.actions, "save_progress", save)
    run(erased.store.end_leases("w", sending=False))
    erased.work_again(id)
    assert erased.action(id).results == {"erased": 1, "not asked": 1}


async def killed(*_, **__):
    raise KeyboardInterrupt


def test_what_a_chain_says_goes_too(run, erased, relay):
    """The fact that a delivery arrived refers to the hook that began it, and has what the sink answered."""
    relay.configure(
        YAML + "  - {name: after, on: delivered, where: {route: people}, to: books, path: /after,"
        ' body: {name: "{{ contact.name }}"}}\n'
    )
    relay.accept(contacts(item(1)))
    (first,) = run(relay.store.claim_deliveries(relay.claim_of("books"))).items
    answer = attempt(Outcome.DELIVERED, response=f"welcome {NAME}")
    done = Settlement(**_fields(settlement(first, Outcome.DELIVERED)) | {"attempt": answer, "is_followed": True})
    run(relay.store.settle("books", [done], {}))
    relay.route()
    relay.settle(Outcome.DELIVERED, "books", "list")
    erased.index()
    assert erased.dump().count(NAME) > 2
    id = erased.start("--phone", PHONE)
    erased.work()
    relay.settle(Outcome.DELIVERED, "list")
    erased.work_again(id)
    assert (erased.left(), erased.action(id).state) == ([], "done")
    (told,) = run(relay.reader.deliveries([first.id]))
    raw = run(relay.reader.raw_receipt(told.led_to.removesuffix(".0")))
    _, (event,) = decode_events(raw)
    assert (event.data["answer"]["text"], event.data["delivery"]["route"]) == ("erased", "people")
    assert event.original.data["name"] == "erased"


def test_a_hook_is_erased_behind_the_facts_that_refer_to_it(run, erased, relay):
    """Else one would be routed by a hook that says nothing any more, and send that."""
    relay.configure(
        YAML + "  - {name: after, on: delivered, where: {route: people}, to: books, path: /after,"
        ' body: {name: "{{ contact.name }}"}}\n'
    )
    (hook,) = relay.accept(contacts(item(1), action="update"))
    (first,) = run(relay.store.claim_deliveries(relay.claim_of("books"))).items
    done = Settlement(**_fields(settlement(first, Outcome.DELIVERED)) | {"is_followed": True})
    run(relay.store.settle("books", [done], {}))
    id = erased.start("--phone", PHONE)
    erased.work()
    assert "is not routed yet" in erased.action(id).waits
    assert NAME.encode() in run(relay.reader.raw_receipt(hook)).body.replace(b"+", b" ")
    relay.route()
    erased.work_again(id)
    assert (erased.action(id).state, erased.left()) == ("done", [])
    (told,) = run(relay.reader.deliveries([first.id]))
    (after,) = relay.deliveries(told.led_to.removesuffix(".0"))
    assert after.state == "cancelled"


def test_nothing_follows_an_event_that_a_person_was_taken_out_of(run, erased, relay):
    relay.configure(
        YAML + "  - {name: after, on: delivered, where: {route: people}, to: books, path: /after,"
        ' body: {name: "{{ contact.name }}"}}\n'
    )
    relay.accept(contacts(item(1), action="update"))
    (first,) = run(relay.store.claim_deliveries(relay.claim_of("books"))).items
    run(relay.store.settle("books", [settlement(first, Outcome.UNKNOWN)], {}))
    id = erased.start("--phone", PHONE)
    erased.work()
    assert erased.action(id).state == "done"
    late = Settlement(**_fields(settlement(first, Outcome.DELIVERED)) | {"is_followed": True})
    run(relay.store.settle("books", [late], {}))
    (told,) = run(relay.reader.deliveries([first.id]))
    assert (told.state, told.led_to) == ("delivered", None)


def test_what_a_chain_makes_while_the_erasure_waits_goes_too(run, erased, relay):
    relay.configure(
        YAML + "  - {name: after, on: delivered, where: {route: people}, to: books, path: /after,"
        ' body: {name: "{{ contact.name }}"}}\n'
    )
    relay.accept(contacts(item(1), action="update"))
    (first,) = run(relay.store.claim_deliveries(relay.claim_of("books"))).items
    id = erased.start("--phone", PHONE)
    erased.work()
    assert "is in flight" in erased.action(id).waits
    answer = attempt(Outcome.DELIVERED, response=f"welcome {NAME}")
    done = Settlement(**_fields(settlement(first, Outcome.DELIVERED)) | {"attempt": answer, "is_followed": True})
    run(relay.store.settle("books", [done], {}))
    relay.route()
    later = relay.accept(contacts(item(1, name="Later", email=""), action="update"))
    erased.work_again(id)
    assert (erased.action(id).state, erased.left()) == ("done", ["9161234567"])
    stored = run(relay.reader.raw_receipt(later[0]))
    assert b"Later" in stored.body, "what came after the start is another matter"


def _fields(record) -> dict:
    return {name: getattr(record, name) for name in record.__struct_fields__}
