"""Ages of retention by source and by what became of hooks: each goes at its own, and the longest age is for all."""

import pytest

from relay.config.schema import RetentionSection
from relay.model import DeliveryState, ReceiptState
from relay.operations.kept_until import read_kept_until
from relay.store.kept_ages import kept_ages
from tests.integration.store.shapes import hook, new, routed

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def make(run, store):
    """Make a finished receipt of a source whose deliveries are in these states, finished so long ago."""

    def one(id: str, *states: DeliveryState, ago: int, source: str = "acme", state: ReceiptState | None = None) -> str:
        run(store.accept([hook(id, f"leads[add][0][id]={id}".encode(), source=source)]))
        (receipt,) = run(store.claim_receipts("router", 1, 60_000)).items
        made = [new(f"{id}-{n}", id, state=state) for n, state in enumerate(states)]
        run(store.save_routed("router", [routed(receipt, *made, **({"state": state} if state else {}))]))
        keys = store.keys
        key = keys.finished_dead if DeliveryState.DEAD in states else keys.finished
        now = run(store.client.zscore(key, id))
        run(store.client.zadd(key, {id: now - ago}))
        return id

    return one


@pytest.fixture
def keep(run, store, reader):
    """Apply retention until there is nothing to remove. Returns which receipts are left."""

    def until_done(**settings) -> list[str]:
        ages = kept_ages(RetentionSection.model_validate(settings))
        more = True
        while more:
            old = run(store.retention.apply(ages.finished.longest, ages.dead.longest, 1000))
            own = run(store.retention.apply_ages(ages, 2))
            more = old.more or own.more
        return sorted(run(reader.newest_receipts(100)))

    return until_done


def test_each_state_has_its_age_and_the_longest_of_several_counts(make, keep):
    make("delivered", DeliveryState.DELIVERED, ago=2 * DAY)
    make("both", DeliveryState.DELIVERED, DeliveryState.SKIPPED, ago=2 * DAY)
    make("skipped", DeliveryState.SKIPPED, ago=2 * DAY)
    make("unrouted", ago=2 * DAY)
    make("young", DeliveryState.DELIVERED, ago=HOUR)
    assert keep() == ["both", "delivered", "skipped", "unrouted", "young"]
    assert keep(delivered="1d", unrouted="3d") == ["both", "skipped", "unrouted", "young"]
    assert keep(delivered="1d", unrouted="1d", skipped="1d") == ["young"]


def test_a_source_has_ages_of_its_own(make, keep):
    make("a", DeliveryState.DELIVERED, ago=4 * DAY)
    make("b", DeliveryState.DELIVERED, ago=4 * DAY, source="other")
    make("c", DeliveryState.SKIPPED, ago=4 * DAY, source="other")
    assert keep(delivered="5d", sources={"other": {"delivered": "3d"}}) == ["a", "c"]
    assert keep(finished="3d", delivered="5d", sources={"other": {"finished": "9d"}}) == ["a", "c"]
    assert keep(finished="3d", sources={"other": {"finished": "9d"}}) == ["c"]


def test_dead_letters_have_an_age_for_each_source_and_the_audit_tells_which(run, store, make, keep):
    make("a", DeliveryState.DEAD, ago=40 * DAY)
    make("b", DeliveryState.DEAD, ago=40 * DAY, source="other")
    assert keep(dead="30d", sources={"acme": {"dead": "90d"}}) == ["a"]
    (entry,) = run(store.acts.audit(5))
    assert (entry.what, entry.by, entry.why) == ("receipt b", "retention", "retention.dead: 30d")
    assert keep(dead="90d", sources={"acme": {"dead": "35d"}}) == []
    assert run(store.acts.audit(1))[0].why == "retention.sources.acme.dead: 35d"


def test_what_is_packed_goes_at_its_age_too(run, store, make, keep):
    make("a", DeliveryState.DELIVERED, ago=2 * DAY)
    make("b", DeliveryState.SKIPPED, ago=2 * DAY)
    run(store.packing.pack_next(1 << 52, 20, 0))
    assert run(store.client.exists(store.keys.packed("a"))) == 1
    assert keep(delivered="1d") == ["b"]


def test_a_receipt_is_looked_at_once_for_each_age(run, store, make, keep, spent):
    for n in range(30):
        make(f"r{n:02}", DeliveryState.SKIPPED, ago=2 * DAY)
    assert len(keep(delivered="1d")) == 30
    spent()
    ages = kept_ages(RetentionSection.model_validate({"delivered": "1d"}))
    run(store.retention.apply_ages(ages))
    assert spent()[1] < 20


def test_what_was_reopened_is_kept_anew(run, store, make, keep):
    make("a", DeliveryState.SKIPPED, ago=2 * DAY)
    assert keep(skipped="1d", delivered="3d") == []
    make("b", DeliveryState.CANCELLED, ago=2 * DAY)
    assert keep(skipped="1d", delivered="3d", cancelled="3d") == ["b"]


def test_a_story_says_until_when_a_receipt_is_kept(run, store, reader, make):
    make("a", DeliveryState.DELIVERED, DeliveryState.SKIPPED, ago=HOUR)
    make("b", DeliveryState.DEAD, ago=HOUR)
    keep = RetentionSection.model_validate({"delivered": "9d", "sources": {"acme": {"dead": "60d"}}})
    for id, key, days in (("a", store.keys.finished, 9), ("b", store.keys.finished_dead, 60)):
        (receipt,) = run(reader.receipts([id]))
        finished = int(run(store.client.zscore(key, id)))
        assert run(read_kept_until(reader, keep, receipt)) == finished + days * DAY


def test_what_waits_is_kept_for_as_long_as_it_does(run, store, reader):
    run(store.accept([hook("w")]))
    (receipt,) = run(reader.receipts(["w"]))
    assert run(read_kept_until(reader, RetentionSection(), receipt)) is None
