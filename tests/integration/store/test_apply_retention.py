"""Retention removes finished receipts with all that belongs to them, the oldest first."""

import pytest

from relay.model import DeliveryState, Outcome
from relay.store.counters import read_counters
from tests.integration.invariants import broken_invariants
from tests.integration.store.shapes import event, ids_in_queue, new, routed

DAY = 86_400_000


@pytest.fixture
def apply_retention(run, store):
    """Remove by age, or over a count. Returns how many were removed."""

    def ask(finished_ms=DAY, dead_ms=DAY, count=1000, max=100):
        return run(store.retention.apply(finished_ms, dead_ms, count, max)).removed

    return ask


@pytest.fixture
def finished(given, run, store):
    """Make receipts with nothing open: ids, oldest first."""

    def make(n: int = 1) -> list[str]:
        receipts = given.taken(n)
        for receipt in receipts:
            run(store.save_routed("router", [routed(receipt)]))
        return [receipt.id for receipt in receipts]

    return make


@pytest.fixture
def remaining(run, reader):
    """Return the ids of the receipts that are there."""

    async def ids():
        return sorted(await reader.newest_receipts(1000))

    return lambda: run(ids())


def test_nothing_is_left_of_a_receipt_but_the_counters(run, store, given, apply_retention):
    (receipt,) = given.taken()
    made = [new("d1", receipt.id), new("d2", receipt.id, state=DeliveryState.DEAD, content=b"2"),
            new("d3", receipt.id, state=DeliveryState.SKIPPED, content=b"3")]  # fmt: skip
    run(store.save_routed("router", [routed(receipt, *made, events=[event(0), event(1, "2"), event(2, "")])]))
    given.settled(given.claim().items[0], Outcome.RETRY)
    given.settled(given.claim().items[0], Outcome.DELIVERED, 2)
    assert apply_retention(0, 0) == 1
    left = {key.decode().removeprefix(store.keys.prefix) for key in run(store.client.keys(store.keys.prefix + "*"))}
    # These run out by themselves.
    passing = {name for name in left if name.startswith(("dup:", "outcomes:", "retired:", "window:"))}
    assert left - passing == {"counted", "heard", "bell:inbox", "audit"}
    assert run(store.client.hkeys(store.keys.last_hooks)) == [b"acme"]  # a field a source, however many its hooks
    assert all(run(store.client.pttl(store.keys.prefix + name)) > 0 for name in passing)
    assert run(read_counters(store.client, store.keys))["retired"] == 1


def test_what_is_young_stays(finished, apply_retention, remaining):
    ids = finished(3)
    assert apply_retention() == 0
    assert remaining() == ids


def test_what_is_over_its_age_goes(finished, apply_retention, remaining):
    finished(3)
    assert apply_retention(finished_ms=0) == 3
    assert remaining() == []


def test_what_is_over_the_count_goes_the_oldest_first(finished, apply_retention, remaining):
    ids = finished(5)
    assert apply_retention(count=2) == 3
    assert remaining() == ids[3:]
    assert apply_retention(count=2) == 0


def test_at_most_so_many_at_once(finished, apply_retention, remaining):
    ids = finished(5)
    assert apply_retention(finished_ms=0, max=2) == 2
    assert remaining() == ids[2:]
    assert apply_retention(finished_ms=0, max=2) == 2
    assert apply_retention(finished_ms=0, max=2) == 1
    assert apply_retention(finished_ms=0, max=2) == 0


def test_dead_letters_are_kept_for_their_own_time(run, reader, given, finished, apply_retention, remaining):
    given.settled(given.leased(), Outcome.REJECTED)
    (dead,) = remaining()
    finished()
    assert apply_retention(finished_ms=0, dead_ms=DAY) == 1
    assert remaining() == [dead]
    assert len(run(ids_in_queue(reader, "books"))) == 1
    assert apply_retention(finished_ms=DAY, dead_ms=0) == 1
    assert remaining() == []
    assert run(ids_in_queue(reader, "books")) == []


def test_the_bound_is_for_both_kinds_together(given, finished, apply_retention):
    given.settled(given.leased(), Outcome.REJECTED)
    finished(2)
    assert apply_retention(0, 0, max=2) == 2
    assert apply_retention(0, 0, max=2) == 1


@pytest.mark.parametrize("how", ["in the inbox", "being routed", "pending", "in flight", "held", "in parts"])
def test_what_is_unfinished_never_goes(run, store, given, apply_retention, remaining, how):
    if how == "in the inbox":
        given.accepted()
    elif how == "being routed":
        given.taken()
    elif how == "pending":
        given.pending()
    elif how == "in flight":
        given.leased()
    elif how == "held":
        given.settled(given.leased(), Outcome.UNKNOWN)
    else:
        (receipt,) = given.taken()
        run(store.save_routed("router", [routed(receipt, new("d1", receipt.id, state=DeliveryState.DEAD), last=False)]))
    assert apply_retention(0, 0, count=0) == 0
    assert len(remaining()) == 1


def test_one_delivery_of_two_keeps_the_whole(run, store, given, apply_retention, remaining):
    (receipt,) = given.taken()
    run(store.save_routed("router", [routed(receipt, new("d1", receipt.id), new("d2", receipt.id))]))
    first, second = given.claim().items
    given.settled(first, Outcome.DELIVERED)
    assert apply_retention(0, 0, count=0) == 0
    given.settled(second, Outcome.DELIVERED)
    assert apply_retention(0, 0) == 1


def test_a_delivery_of_another_receipt_stays(run, store, given, apply_retention, look):
    """The second receipt's event met the `once` delivery of the first, which is still on its way."""
    first, second = given.taken(2)
    run(store.save_routed("router", [routed(first, new("o1", first.id, once=True))]))
    run(store.save_routed("router", [routed(second, new("o1", second.id, once=True))]))
    assert apply_retention(0, 0) == 1
    assert look("o1").state is DeliveryState.PENDING
    assert given.claim().items[0].content == b'{"amount": 1}'


def test_of_a_once_delivery_its_identity_stays(run, store, given, apply_retention):
    (receipt,) = given.taken()
    run(store.save_routed("router", [routed(receipt, new("o1", receipt.id, once=True))]))
    given.settled(given.claim().items[0], Outcome.DELIVERED)
    apply_retention(0, 0)
    assert run(store.client.hgetall(store.keys.once("o1"))) == {b"o1": b"delivered"}


def test_an_entity_forgets_only_the_events_that_went(run, store, reader, given, apply_retention):
    old, young = given.taken(2)
    run(store.save_routed("router", [routed(old, events=[event(0, "7")])]))
    run(store.save_routed("router", [routed(young, new("d1", young.id), events=[event(0, "7")])]))
    assert apply_retention(0, 0) == 1
    assert run(reader.events_of("acme", "lead", "7")) == [f"{young.id}.0"]


class TestWork:
    """A call is bounded in work, not in receipts."""

    @pytest.fixture
    def large(self, run, store, given):
        """Make a receipt of so many events with a delivery each; the sinks of two events share their content."""

        def make(n: int) -> str:
            (receipt,) = given.taken()
            for at in range(0, n, 50):
                parts = range(at, min(at + 50, n))
                made = [new(f"{receipt.id}-{i}", receipt.id, i, state=DeliveryState.DEAD, content=b"%d" % (i // 2))
                        for i in parts]  # fmt: skip
                events = [event(i, str(i)) for i in parts]
                run(store.save_routed("router", [routed(receipt, *made, events=events, last=at + 50 >= n)]))
            return receipt.id

        return make

    def test_a_large_receipt_goes_in_several_calls_and_all_of_it(self, run, store, large, spent):
        large(400)
        large(400)
        calls, removed = 0, 0
        while True:
            spent()
            retired = run(store.retention.apply(0, 0, 0))
            assert spent()[1] < 1100
            assert run(broken_invariants(store)) == []
            calls, removed = calls + 1, removed + retired.removed
            if not retired.more:
                break
        assert (calls > 3, removed) == (True, 2)
        kinds = {key.decode().removeprefix(store.keys.prefix).partition(":")[0] for key in
                 run(store.client.keys(store.keys.prefix + "*"))}  # fmt: skip
        assert kinds <= {"counted", "heard", "bell", "dup", "retired", "audit"}

    def test_many_small_ones_go_in_several_calls_too(self, run, store, finished, remaining):
        finished(95)
        assert run(store.retention.apply(0, 0, 0, max=1000)).more
        while run(store.retention.apply(0, 0, 0, max=1000)).more:
            pass
        assert remaining() == []


class TestDamaged:
    """One record that cannot be read stops nothing."""

    @pytest.fixture
    def damage(self, run, store):
        """Return what damages a receipt and its delivery d1, by name."""
        client, keys = store.client, store.keys
        return {
            "an event": lambda id: client.hset(keys.receipt(id), "e:0", "no json"),
            "no content": lambda _: client.hdel(keys.delivery("d1"), "c"),
            "no source": lambda id: client.hdel(keys.receipt(id), "src"),
            "no arrival": lambda id: client.hdel(keys.receipt(id), "at"),
            "another kind of key": lambda _: _replace(client, keys.delivery("d1")),
            "the receipt is another kind of key": lambda id: _replace(client, keys.receipt(id)),
            "the receipt is gone": lambda id: client.delete(keys.receipt(id)),
        }

    @pytest.mark.parametrize(
        "what",
        ["an event", "no content", "no source", "no arrival", "another kind of key",
         "the receipt is another kind of key", "the receipt is gone"],
    )  # fmt: skip
    def test_the_others_go_and_it_too(self, run, store, given, finished, remaining, damage, what):
        (receipt,) = given.taken()
        run(store.save_routed("router", [routed(receipt, new("d1", receipt.id, state=DeliveryState.DEAD))]))
        run(damage[what](receipt.id))
        finished(3)
        retired = run(store.retention.apply(0, 0, 0))
        assert (retired.removed, retired.more) == (4, False)
        assert list(retired.damaged) in ([], [receipt.id])
        assert remaining() == []
        for key in run(store.client.keys(store.keys.prefix + "*")):  # of what could not be found something may stay
            if key.decode().removeprefix(store.keys.prefix).partition(":")[0] in ("d", "c", "dead"):
                run(store.client.delete(key))


async def _replace(client, key: str) -> None:
    await client.delete(key)
    await client.set(key, "text")
