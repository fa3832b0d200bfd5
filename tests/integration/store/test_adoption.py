"""What the last release wrote (commit b42e45f), or left in lists that it does not know, is put right in small steps."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from relay.model import Outcome, ReceiptState
from relay.operations.search import EventFilter, find_events
from relay.store.adoption import Adoption, AdoptionProgress, lists_to_adopt
from relay.store.counters import read_counters
from relay.store.fields import ReceiptField
from relay.store.keys import sink_queue
from tests.integration.invariants import broken_invariants
from tests.integration.store.shapes import event, hook, new, routed, settlement

OLD_TOKEN = "4711:3:0badcafe"
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def adopt(run: Run, store) -> Callable[..., int]:
    """Walk over all lists, so many calls at a time; return how many times that took."""

    async def walk(steps: int) -> int:
        times, progress = 0, AdoptionProgress()
        while progress is not None:
            lists = lists_to_adopt(["books", "papers"], ["acme"])
            progress = await Adoption(store.client, store.namespace).adopt(lists, progress, steps)
            times += 1
        return times

    return lambda steps=1000: run(walk(steps))


async def route(store, id: str, *, token: str, **more) -> None:
    """Take a hook and route it under a token; to a sink, unless another state is said."""
    await store.registry.add_sinks({"books": "http"})
    await store.accept([hook(id, body=b"leads[add][0][id]=%b" % id.encode())])
    claim = await store.claim_receipts(token, 1, 60_000)
    deliveries = () if more else [new(f"d-{id}", id)]
    await store.save_routed(token, [routed(claim.items[0], *deliveries, events=[event(entity_id=id)], **more)])


async def forget_lists(store, id: str) -> None:
    """Leave a receipt as the last release would have: with its token, in its own list of events, in none by state."""
    keys = store.keys
    await store.client.hset(keys.receipt(id), ReceiptField.TOKEN, OLD_TOKEN)
    await store.client.zrem(keys.events_of("acme", "lead", id), f"{id}.0")
    await store.client.sadd(keys.events_before("acme", "lead", id), f"{id}.0")
    await store.client.zrem(keys.pending("books"), f"d-{id}")
    await store.client.zrem(keys.receipts_in(ReceiptState.MALFORMED), id)


def test_what_the_last_release_routed_is_listed(run: Run, store, reader, adopt) -> None:
    for id in ("1", "2", "3"):
        run(route(store, id, token=OLD_TOKEN))
        run(forget_lists(store, id))
    run(route(store, "4", token=OLD_TOKEN, state=ReceiptState.MALFORMED))
    run(forget_lists(store, "4"))
    assert len(run(broken_invariants(store))) == 4
    assert adopt(steps=1) > 5  # it goes on where it stopped
    assert run(broken_invariants(store)) == []
    found = run(find_events(reader, EventFilter(entity=("lead", "2"))))
    assert [one.id for one in found.items] == ["2.0"]
    assert run(store.client.exists(store.keys.events_before("acme", "lead", "2"))) == 0


def test_what_it_ended_or_removed_leaves_the_lists(run: Run, store, adopt) -> None:
    run(route(store, "1", token="w1:r1"))
    run(store.client.zadd(store.keys.pending("books"), {"gone": 1}))
    run(store.client.zadd(store.keys.receipts_in(ReceiptState.QUARANTINED), {"1": 1, "gone": 1}))
    assert run(broken_invariants(store)) != []
    adopt()
    assert run(broken_invariants(store)) == []
    assert run(store.client.zcard(store.keys.pending("books"))) == 1


def test_what_this_release_routed_is_left_alone(run: Run, store, adopt) -> None:
    run(route(store, "1", token="w1:r1"))
    before = run(store.client.hgetall(store.keys.receipt("1")))
    adopt()
    assert run(store.client.hgetall(store.keys.receipt("1"))) == before


def test_many_receipts_of_one_millisecond_are_all_seen(run: Run, store, adopt) -> None:
    ids = [str(number) for number in range(250)]
    for id in ids:
        run(route(store, id, token=OLD_TOKEN))
        run(forget_lists(store, id))
        run(store.client.hset(store.keys.receipt(id), "at", 1_700_000_000_000 + int(id) // 90))
        run(store.client.zadd(store.keys.receipts, {id: 1_700_000_000_000 + int(id) // 90}))
    adopt()
    assert run(store.client.keys(store.keys.events_before("acme", "lead", "*"))) == []


def test_events_that_it_counted_under_any_name_are_counted_as_others(run: Run, store, adopt) -> None:
    strange = {f"event|acme|{name}": 2 for name in ("add_ship", "x|y", *(f"add_{n}" for n in range(300)))}
    kept = {"event|acme|add_lead": 3, "event|acme|other": 1, "receipt|acme|accepted": 5, "delivery|books|created": 4}
    run(store.client.hset(store.keys.stats, mapping=strange | kept))
    run(route(store, "1", token="w1:r1"))
    before = run(read_counters(store.client, store.keys))
    adopt(steps=1)
    assert sorted(run(store.client.hkeys(store.keys.stats))) == sorted(map(str.encode, kept))
    after = run(read_counters(store.client, store.keys))
    assert after["event|acme|other"] == 1 + 2 * len(strange)
    assert after | {"event|acme|other": 1} == {name: n for name, n in before.items() if name not in strange}


def test_retention_removes_what_the_last_release_listed(run: Run, store) -> None:
    run(route(store, "1", token=OLD_TOKEN, state=ReceiptState.UNROUTED))
    run(forget_lists(store, "1"))
    run(store.retention.apply(finished_ms=0, dead_ms=0, count=0))
    assert run(store.client.exists(store.keys.events_before("acme", "lead", "1"))) == 0


@pytest.mark.parametrize(
    "left", [{"trial": "d-9", "tried": 3, "breaker": 1}, {"trial:invoices": "d-9", "tried:invoices": 3}]
)
def test_a_gate_that_it_opened_closes_again(run: Run, store, given, left: dict[str, Any]) -> None:
    gate = store.keys.gate(sink_queue("books"))
    delivery = given.leased()
    run(store.client.hset(gate, mapping=left))
    scope = "route" if "trial:invoices" in left else "sink"
    blocked = settlement(delivery, Outcome.BLOCKED, gate_ms=60_000, gate_scope=scope)
    assert run(store.settle("books", [blocked], {})) == ["settled"]
    fields = run(store.client.hgetall(gate))
    assert (b"route:invoices" if scope == "route" else b"until") in fields
    assert fields.keys().isdisjoint({b"trial", b"breaker", b"trial:invoices"})


def test_a_line_goes_on_whose_first_the_last_release_has_ended(run: Run, store, given, adopt) -> None:
    """It takes what has its turn out of its queue, and gives the turn to nobody."""
    run(store.registry.add_sinks({"books": "http"}))
    first, second = given.taken(2)
    for receipt in (first, second):
        delivery = new(f"d{receipt.id}", receipt.id, order="a" * 16)
        run(store.save_routed("router", [routed(receipt, delivery)]))
    run(end_as_the_last_release(store, f"d{first.id}"))
    assert given.claim().items == []
    adopt()
    assert [one.id for one in given.claim().items] == [f"d{second.id}"]
    assert run(broken_invariants(store)) == []


async def end_as_the_last_release(store, id: str) -> None:
    """Write that a pending delivery was delivered, as the scripts of the last release do."""
    keys = store.keys
    await store.client.hset(keys.delivery(id), mapping={"state": "delivered", "reason": "200 OK", "done": 1})
    await store.client.zrem(keys.due(sink_queue("books")), id)
    await store.client.zrem(keys.pending("books"), id)
    receipt = (await store.client.hget(keys.delivery(id), "ev")).decode().partition(".")[0]
    await store.client.hset(keys.receipt(receipt), "open", 0)
    await store.client.zadd(keys.finished, {receipt: 1})
