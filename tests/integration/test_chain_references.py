"""The fact that a delivery arrived refers to the hook, which is stored once and kept while a fact refers to it."""

import json

import pytest

from relay.amocrm.form import encode_form
from relay.cases.from_event import cases_of_receipt
from relay.config.schema import RetentionSection
from relay.model import Outcome
from relay.operations.story import read_event_story
from relay.operations.story_detail import read_story_detail
from relay.store.kept_ages import kept_ages
from tests.integration.store.shapes import new, settlement
from tests.integration.test_chains import ANNA, YAML, claim, contents, deliver, settled

LEADS, DAY = 300, 86_400_000


@pytest.fixture
def chain(relay):
    relay.configure(YAML)
    return relay


@pytest.fixture
def pack(run, store, reader):
    """Pack what is finished, as if that were long ago."""

    async def work() -> None:
        await store.packing.pack_next(await reader.now() + 1, 100, 0)

    return lambda: run(work())


@pytest.fixture
def keep(run, store, reader):
    """Apply retention with these ages until it does nothing more. Returns how many receipts are left."""

    def work(count: int = 1000, **settings: str) -> int:
        ages = kept_ages(RetentionSection.model_validate(settings))
        while True:
            old = run(store.retention.apply(ages.finished.longest, ages.dead.longest, count))
            own = run(store.retention.apply_ages(ages))
            if not (old.removed or old.more or own.removed or own.more):
                return len(run(reader.newest_receipts(1000)))

    return work


def leads(number: int) -> bytes:
    return encode_form({"leads": {"add": [{"id": str(n), "name": f"lead {n}"} for n in range(number)]}})


def claimed(relay, sink: str) -> list:
    return relay.run(relay.store.claim_deliveries(relay.claim_of(sink))).items


def finish(relay) -> tuple[str, str]:
    """Let a chain of one fact end: the ids of the hook's receipt, and of the fact's."""
    (hook,) = relay.accept_leads(7)
    relay.settle(Outcome.DELIVERED, "chat")
    invoice = deliver(relay, "books")
    relay.settle(Outcome.DELIVERED, "chat")
    (found,) = relay.run(relay.reader.deliveries([invoice.id]))
    return hook, found.led_to.removesuffix(".0")


def make_old(relay, receipt: str, by_ms: int) -> None:
    """Let it have finished so much earlier."""

    async def move() -> None:
        keys, client = relay.store.keys, relay.store.client
        for key in (keys.finished, keys.finished_dead, keys.finished_packed):
            if (at := await client.zscore(key, receipt)) is not None:
                await client.zadd(key, {receipt: at - by_ms})

    relay.run(move())


def test_a_hook_of_300_leads_that_are_all_followed_is_stored_once(chain):
    body = leads(LEADS)
    chain.accept(body)
    while items := claimed(chain, "books"):
        chain.run(chain.store.settle("books", [settled(one) for one in items], {}))
    counted = chain.run(chain.reader.counters())
    assert counted["bytes", "_relay"] < LEADS * 600 < len(body) * 10
    chain.settle(Outcome.DELIVERED, "chat", "chat", "chat")
    chain.route()
    made = contents(chain, "chat")
    assert sorted(int(one["lead"]) for one in made) == list(range(LEADS))
    assert {one["number"] for one in made} == {"17"}


@pytest.mark.parametrize(("followed", "each"), [(False, 7), (True, 18)])
def test_what_a_settle_costs(chain, spent, followed, each):
    """Eleven commands more for one that a route follows, whatever its hook is; none for the others."""
    chain.accept(leads(100))
    items = claimed(chain, "books")
    done = [settled(one) if followed else settlement(one, Outcome.DELIVERED) for one in items]
    chain.run(chain.store.settle("books", done[:10], {}))  # the server knows the script
    spent()
    chain.run(chain.store.settle("books", done[10:], {}))
    calls, commands = spent()
    assert (calls, commands <= 90 * each + 25) == (1, True), commands / 90


def test_a_claim_counts_the_hooks_of_facts_each_once(chain):
    """A worker reads them beside the facts: so they are bounded as bodies are."""
    large = [encode_form({"leads": {"add": [{"id": str(n), "name": "x" * 300_000}] * 2}}) for n in range(3)]
    chain.accept(*large)
    for one in claimed(chain, "books"):
        chain.run(chain.store.settle("books", [settled(one)], {}))
    claims = []
    while items := chain.run(chain.store.claim_receipts("router", 100, 60_000)).items:
        claims.append([one.original_id.partition(".")[0] for one in items])
        assert all(one.original.id == one.original_id.partition(".")[0] for one in items)
    assert [len(set(hooks)) for hooks in claims] == [1, 1, 1]
    assert sum(map(len, claims)) == 6


@pytest.mark.parametrize("packed", [False, True])
def test_retention_keeps_a_hook_while_a_fact_refers_to_it(chain, pack, keep, packed):
    hook, fact = finish(chain)
    make_old(chain, hook, 2 * DAY)
    if packed:
        pack()
    assert keep(finished="1d") == 2
    stored = chain.run(chain.reader.raw_receipts([fact]))[fact]
    assert stored.original.body == chain.run(chain.reader.raw_receipt(hook)).body
    make_old(chain, fact, 2 * DAY)
    make_old(chain, hook, DAY)
    assert keep(finished="1d") == 0


@pytest.mark.parametrize("packed", [False, True])
def test_one_that_it_keeps_is_looked_at_again_in_an_hour(chain, pack, keep, reader, packed):
    hook, fact = finish(chain)
    if packed:
        pack()
    make_old(chain, hook, 2 * DAY)
    keep(finished="3d", delivered="1d")
    finished_at, _ = chain.run(reader.finished_at(hook))
    now = chain.run(reader.now())
    assert 3_590_000 < finished_at + DAY - now <= 3_600_000
    make_old(chain, fact, 2 * DAY)
    make_old(chain, hook, 3_600_001)
    assert keep(finished="3d", delivered="1d") == 0


def test_one_that_is_over_the_count_goes_behind_its_fact(chain, keep):
    hook, fact = finish(chain)
    later = chain.accept_leads(8)
    chain.settle(Outcome.SKIPPED, "chat", "books")
    assert keep(count=2) == 2
    assert chain.states([hook, fact, *later]) == ["routed", "routed"]
    assert chain.run(chain.reader.raw_receipt(fact)) is None


def test_a_dead_letter_of_a_chain_keeps_the_hook_as_long_as_itself(chain, keep):
    (hook,) = chain.accept_leads(7)
    chain.settle(Outcome.DELIVERED, "chat")
    deliver(chain, "books")
    chain.settle(Outcome.REJECTED, "chat")
    make_old(chain, hook, 2 * DAY)
    assert keep(finished="1d", dead="3d") == 2


def test_a_fact_that_another_release_removed_keeps_nothing(chain, keep):
    hook, fact = finish(chain)
    keys, client = chain.store.keys, chain.store.client
    for listed in (keys.finished, keys.receipts):
        chain.run(client.zrem(listed, fact))
    for one in chain.deliveries(fact):
        chain.run(client.delete(keys.delivery(one.id), keys.story(one.id), keys.content(one.content_id)))
    chain.run(client.delete(keys.receipt(fact), keys.body(fact)))
    make_old(chain, hook, 2 * DAY)
    assert keep(finished="1d") == 0


def test_each_fact_of_a_delivery_that_was_delivered_twice_keeps_the_hook(chain, keep):
    hook, fact = finish(chain)
    (first,) = [one for one in chain.deliveries(hook) if one.sink == "books"]
    anew = new(first.id, hook, content=b"{}")
    chain.run(chain.store.acts.render(first.id, ANNA, anew, "sink:books", "c", force=True))
    deliver(chain, "books")
    chain.settle(Outcome.DELIVERED, "chat")
    second = chain.run(chain.reader.deliveries([first.id]))[0].led_to.removesuffix(".0")
    assert second != fact
    for one in (hook, second):
        make_old(chain, one, 2 * DAY)
    assert keep(finished="1d") == 2
    assert chain.run(chain.reader.raw_receipts([hook, fact])).keys() == {hook, fact}


def test_what_is_packed_is_read_with_its_hook(chain, pack):
    hook, fact = finish(chain)
    pack()
    assert chain.run(chain.store.client.exists(chain.store.keys.packed(hook), chain.store.keys.packed(fact))) == 2
    raw = chain.run(chain.reader.raw_receipt(fact))
    assert (raw.original_id, raw.original.id) == (f"{hook}.0", hook)
    detail = chain.run(read_story_detail(chain.reader, chain.config, f"{fact}.0"))
    assert [route.route for event in detail.events for route in event.routes if route.matched] == ["number"]
    (made,) = cases_of_receipt(raw, chain.config, None)
    assert [one["route"] for one in made.settings["expect"]] == ["number"]
    assert chain.run(read_event_story(chain.reader, f"{fact}.0")).receipt.state == "routed"


def test_a_fact_of_a_fact_finds_the_hook(chain):
    chain.accept_leads(8)
    chain.settle(Outcome.DELIVERED, "chat")
    deliver(chain, "books")
    last = deliver(chain, "chat")
    assert contents(chain, "books") == [{"lead": "lead 8"}]
    fact = chain.run(chain.reader.deliveries([last.id]))[0].led_to.removesuffix(".0")
    raw = chain.run(chain.reader.raw_receipt(fact))
    assert b"8" in raw.original.original.body


def test_a_fact_whose_hook_is_gone_says_so(chain):
    (hook,) = chain.accept_leads(7)
    chain.settle(Outcome.DELIVERED, "chat")
    one = claim(chain, "books")
    chain.run(chain.store.settle("books", [settled(one)], {}))
    fact = chain.run(chain.reader.deliveries([one.id]))[0].led_to.removesuffix(".0")
    body = chain.run(chain.store.client.getdel(chain.store.keys.body(hook)))
    chain.route()
    (stored,) = chain.run(chain.reader.receipts([fact]))
    assert (stored.state, stored.reason) == (
        "malformed",
        "body: a delivery was delivered, and the hook that it was made of is gone",
    )
    chain.run(chain.store.client.set(chain.store.keys.body(hook), body))


def test_its_body_has_the_answer_and_nothing_of_the_hook(chain):
    hook, fact = finish(chain)
    body = json.loads(chain.run(chain.store.client.get(chain.store.keys.body(fact))))
    assert body["answer"]["text"] == '{"number": 17, "ok": true}'
    assert body["delivery"]["event_id"] == f"{hook}.0"
    assert "lead 7" not in json.dumps(body)
