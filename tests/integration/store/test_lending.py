"""A sink has one home: what may leave for it is decided there, whatever shard its deliveries are in.

Here `home` and `store` are two shards, and the home of the sink is the first.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from relay.errors import StoreUnavailable
from relay.model import Limit, Outcome
from relay.store.acts import Author
from relay.store.connect import connect
from relay.store.keys import sink_queue
from relay.store.lending import Lending
from relay.store.reader import Reader
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from tests.integration.conftest import delete_all
from tests.integration.invariants import broken_invariants
from tests.integration.store.conftest import BREAKER, Given
from tests.integration.store.reference.clock import control_time, set_time
from tests.integration.store.shapes import settlement
from workers import borrowing
from workers.borrowing import Borrowing, Home

QUEUE = sink_queue("books")
BEGIN = 1_790_000_000_000
LEASE_MS = 60_000
BLOCKED = {"gate_ms": 60_000, "delay_ms": 1000, "gate_sure": True, "reason": "no money"}
ANNA = Author(by="anna")


@contextmanager
def answers_lost(lending: Lending, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let calls of a home do what they ask, and nobody hear of it."""
    lend = lending.lend

    async def lose(*arguments):
        await lend(*arguments)
        raise StoreUnavailable("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(lending, "lend", lose)
        yield


class Shard:
    """A shard in which deliveries of the sink wait, and a worker that drains it there."""

    def __init__(self, run, store: Store, home: Store, name: str) -> None:
        self._run, self._home = run, home
        self.store, self.name = store, name
        self.given = Given(run, store)
        self.given._numbers = iter(range(1000 * int(name), 1000 * int(name) + 999))
        self.reader = Reader(store.client, store.namespace)
        self._claims = 0
        self.start()

    def start(self, worker: str = "w1") -> None:
        """Let a worker begin, in place of the one before: what that has borrowed nobody reports."""
        self.worker = worker
        home = Home("00", self._home, self.name)
        self.calls = Borrowing("books", self.store, home, worker) if self.store is not self._home else self.store

    def _request(self, max: int, concurrency: int, limits, batch=(0, 0), unheard=()):
        self._claims += 1
        token = f"{self.worker}:{self._claims}"
        return sink_claim_request("books", token, max, LEASE_MS, concurrency, limits, batch, unheard)

    def claim(self, max: int = 10, concurrency: int = 0, limits=(), batch=(0, 0), unheard=()):
        return self._run(self.calls.claim_deliveries(self._request(max, concurrency, limits, batch, unheard)))

    def settle(self, *items):
        return self._run(self.calls.settle("books", items, {}, BREAKER))

    def settled(self, delivery, outcome=Outcome.DELIVERED, **decision):
        (answer,) = self.settle(settlement(delivery, outcome, **decision))
        return answer

    def settle_and_claim(self, *items, max: int = 10, concurrency: int = 0, limits=()):
        request = self._request(max, concurrency, limits)
        return self._run(self.calls.settle_and_claim("books", items, {}, request, BREAKER))


@pytest.fixture
def shards(run, server, namespace):
    """Return three shards under a clock of the test's; the first is the home of the sink."""
    stores = [Store(connect(server.url, answer_seconds=10), f"{namespace}s{n}") for n in range(3)]
    for store in stores:
        run(control_time(store, BEGIN))
        run(store.registry.add_sinks({"books": "http"}))
        store.clock.note(BEGIN)
    try:
        yield [Shard(run, store, stores[0], f"{n:02}") for n, store in enumerate(stores)]
        assert [found for store in stores for found in run(broken_invariants(store))] == []
    finally:
        for store in stores:
            run(delete_all(store))


@pytest.fixture
def pass_time(run, shards):
    """Let time pass for all shards."""
    now = BEGIN

    def move(ms: int) -> int:
        nonlocal now
        now += ms
        for shard in shards:
            run(set_time(shard.store, now))
            shard.store.clock.note(now)
        return now

    return move


@pytest.fixture
def lent(run, shards):
    """Return which slots the home has lent."""
    key = shards[0].store.keys.leased(QUEUE)
    return lambda: [one.decode() for one in run(shards[0].store.client.zrange(key, 0, -1)) if one.startswith(b"lent|")]


@pytest.fixture
def gate(shards, run):
    """Read the gate of the sink in its home."""
    return lambda: next(one.gate for one in run(shards[0].reader.sinks()) if one.name == "books")


class TestConcurrency:
    """As many are out as the sink allows, over all shards."""

    def test_slots_are_counted_with_those_of_the_home(self, shards):
        home, one, two = shards
        for shard in shards:
            shard.given.pending(3)
        assert len(home.claim(max=2, concurrency=4).items) == 2
        assert len(one.claim(concurrency=4).items) == 2
        assert two.claim(concurrency=4).items == []
        assert home.claim(concurrency=4).items == []

    def test_a_report_frees_the_slot_and_what_is_settled_twice_frees_no_other(self, shards, lent):
        _, one, two = shards
        one.given.pending(1)
        two.given.pending(3)
        (delivery,) = one.claim(concurrency=2).items
        assert len(two.claim(concurrency=2).items) == 1
        assert [one.settled(delivery), one.settled(delivery)] == ["settled", "settled"]
        assert len(lent()) == 1
        assert len(two.claim(concurrency=2).items) == 1

    def test_only_what_is_taken_is_lent(self, shards, lent):
        _, one, two = shards
        one.given.pending(1)
        two.given.pending(3)
        assert len(one.claim(max=5, concurrency=4).items) == 1
        assert len(lent()) == 1
        assert len(two.claim(max=5, concurrency=4).items) == 3

    def test_what_nobody_reports_is_free_when_it_has_run_out(self, shards, pass_time):
        home, one, _ = shards
        one.given.pending(1)
        home.given.pending(1)
        assert len(one.claim(concurrency=1).items) == 1
        pass_time(LEASE_MS - 1)
        assert home.claim(concurrency=1).items == []
        pass_time(1)
        assert len(home.claim(concurrency=1).items) == 1

    def test_a_report_that_comes_too_late_changes_nothing(self, shards, pass_time, lent, gate):
        home, one, _ = shards
        one.given.pending(2)
        home.given.pending(1)
        first, second = one.claim().items
        pass_time(LEASE_MS)
        home.claim()
        one.settled(first, Outcome.BLOCKED, **BLOCKED)
        assert (lent(), gate().until) == ([], None)
        assert one.settled(second) == "settled"

    def test_who_waits_for_a_slot_is_the_next_that_gets_one(self, shards):
        home, one, two = shards
        for shard in shards:
            shard.given.pending(4)
        (out,) = home.claim(max=1, concurrency=1).items
        assert one.claim(concurrency=1).items == []
        assert two.claim(concurrency=1).items == []
        _, claim = home.settle_and_claim(settlement(out, Outcome.DELIVERED), concurrency=1)
        assert claim.items == []
        assert two.claim(concurrency=1).items == []
        (out,) = one.claim(concurrency=1).items
        one.settled(out)
        assert two.claim(concurrency=1).items == []
        (out,) = home.claim(concurrency=1).items
        assert two.claim(concurrency=1).items == one.claim(concurrency=1).items == []
        home.settled(out)
        assert home.claim(concurrency=1).items == []
        assert len(two.claim(concurrency=1).items) == 1

    def test_the_slots_of_a_worker_whose_process_has_ended_are_free_at_once(self, run, shards, lent):
        home, one, _ = shards
        one.given.pending(1)
        home.given.pending(1)
        one.claim(concurrency=1)
        assert run(home.store.end_leases("w1", sending=True)) == 1
        assert len(home.claim(concurrency=1).items) == 1

    def test_a_suspect_s_slot_is_lent_for_as_long_as_its_lease(self, run, shards, pass_time):
        """Its worker ends all else before it begins with it."""
        home, one, _ = shards
        one.given.pending(1)
        for worker in ("w1", "w2"):
            one.start(worker)
            one.claim()  # takes back what the worker before died with
            one.claim()
            pass_time(LEASE_MS)
        one.start("w3")
        one.claim()
        (suspect,) = one.claim().items
        assert suspect.deaths == 2
        ends = {name: run(store.client.zrange(store.keys.leased(QUEUE), -1, -1, withscores=True))[0][1]
                for name, store in (("home", home.store), ("shard", one.store))}  # fmt: skip
        assert ends["home"] == ends["shard"] == BEGIN + 3 * LEASE_MS + 60_000

    def test_what_was_lent_too_long_ago_does_not_begin(self, shards, lent, monkeypatch):
        """A limit counts it from when it was lent, so it begins soon after or not at all."""
        _, one, _ = shards
        one.given.pending(1)
        with monkeypatch.context() as patch:
            patch.setattr(borrowing, "START_SECONDS", -1)
            with pytest.raises(StoreUnavailable):
                one.claim(concurrency=1)
        assert one.claim(unheard=["w1:1"]).items == []  # its drainer says that it works at nothing of it
        assert len(one.claim(concurrency=1).items) == 1
        assert len(lent()) == 1

    def test_a_batch_takes_one_slot_and_one_grant(self, run, shards, lent):
        home, one, _ = shards
        one.given.pending(5)
        limit = Limit(key="k", count=3, per_ms=1000)
        claim = one.claim(max=4, concurrency=4, limits=[limit], batch=(5, 2))
        assert (len(claim.items), claim.batched, len(lent())) == (5, True, 1)
        assert run(home.store.client.llen(home.store.keys.grants("k"))) == 1
        one.settle(*[settlement(item, Outcome.DELIVERED) for item in claim.items])
        assert lent() == []

    @pytest.mark.parametrize("concurrency", [1, 2, 4])
    @pytest.mark.parametrize("first", ["the home", "a shard"])
    def test_the_home_and_a_shard_that_both_have_endless_work_get_about_half(self, shards, concurrency, first):
        home, one, _ = shards
        begun, out = {home.name: 0, one.name: 0}, {home.name: [], one.name: []}
        for shard in (home, one):
            shard.given.pending(80)

        def work(shard: Shard, ended: int) -> None:
            finished, out[shard.name] = out[shard.name][:ended], out[shard.name][ended:]
            done = [settlement(one, Outcome.DELIVERED) for one in finished]
            most = concurrency - len(out[shard.name])
            _, claim = shard.settle_and_claim(*done, max=most, concurrency=concurrency)
            out[shard.name] += claim.items
            begun[shard.name] += len(claim.items)

        order = [home, one] if first == "the home" else [one, home]
        for _ in range(20):
            for shard in order:
                work(shard, 1)
            for shard in order:
                work(shard, 0)
        assert min(begun.values()) >= sum(begun.values()) / 3


class TestLimits:
    """Grants are times of the home's clock, over all shards and their workers."""

    @pytest.mark.parametrize("seed", range(3))
    def test_grants_never_exceed_the_count_in_any_window_though_workers_are_killed(self, shards, pass_time, seed):
        dice = random.Random(seed)
        shards = shards[: 2 + seed % 2]
        limits = [Limit(key="k1", count=dice.randint(1, 6), per_ms=dice.randint(2, 25))]
        limits.append(Limit(key="k2", count=dice.randint(3, 9), per_ms=dice.randint(10, 30)))
        concurrency, now, out = 4, BEGIN, defaultdict(list)
        begun: list[int] = []
        for shard in shards:
            shard.given.pending(30)
        for turn in range(60):
            shard = dice.choice(shards)
            if dice.random() < 0.1:  # it is killed: what it has out ends when its lease does, at the latest
                shard.start(f"w{turn}")
            finished = [one for one in out[shard.worker, shard.name] if dice.random() < 0.6]
            _, claim = shard.settle_and_claim(
                *[settlement(one, Outcome.DELIVERED) for one, _ in finished],
                max=dice.randint(1, 8), concurrency=concurrency, limits=limits,
            )  # fmt: skip
            mine = out[shard.worker, shard.name]
            mine[:] = [one for one in mine if one not in finished] + [(one, now + LEASE_MS) for one in claim.items]
            begun += [now] * len(claim.items)
            running = sum(ends > now for all_of_one in out.values() for _, ends in all_of_one)
            assert running <= concurrency
            now = pass_time(dice.choice((1, 2, 5, LEASE_MS // 4)))
        assert len(begun) > 5
        for limit in limits:
            windows = zip(begun, begun[limit.count :], strict=False)
            assert all(later - earlier >= limit.per_ms for earlier, later in windows)

    def test_a_grant_returns_only_where_nothing_of_it_has_started(self, run, shards):
        home, one, _ = shards
        one.given.pending(1)
        limit = Limit(key="k", count=5, per_ms=60_000)
        run(home.store.client.rpush(home.store.keys.grants("k"), BEGIN))
        run(one.store.client.zadd(one.store.keys.due(QUEUE), {"removed": BEGIN}))  # by retention
        assert len(one.claim(limits=[limit]).items) == 1
        assert run(home.store.client.llen(home.store.keys.grants("k"))) == 2

    def test_the_next_grant_is_for_the_shard_that_waits_though_the_home_has_work(self, shards, pass_time):
        home, one, two = shards
        limits = [Limit(key="k", count=2, per_ms=1000)]
        for shard in shards:
            shard.given.pending(9)
        assert len(home.claim(limits=limits).items) == 2
        for _ in range(2):
            assert one.claim(limits=limits).items == two.claim(limits=limits).items == []
            pass_time(1000)
            assert len(home.claim(max=1, limits=limits).items) == 1
            assert home.claim(limits=limits).items == two.claim(limits=limits).items == []
            assert len(one.claim(max=1, limits=limits).items) == 1
            pass_time(1000)
            assert len(two.claim(limits=limits).items) == 1
            assert len(home.claim(limits=limits).items) == 1

    def test_two_workers_of_a_shard_that_wait_for_one_grant_stop_no_other(self, shards, pass_time):
        """Whichever of them asks: the turn is the shard's, and the store knows what is kept for it."""
        home, one, _ = shards
        other = Shard(one._run, one.store, home.store, one.name)
        other.start("w2")
        limits = [Limit(key="k", count=1, per_ms=1000)]
        one.given.pending(9)
        assert len(one.claim(limits=limits).items) == 1
        for _ in range(4):
            assert one.claim(limits=limits).items == other.claim(limits=limits).items == []
            pass_time(1000)
            assert len(one.claim(limits=limits).items) == 1

    def test_a_grant_that_was_kept_in_a_call_of_which_nobody_heard_is_not_lost(
        self, run, shards, monkeypatch, pass_time
    ):
        _, one, _ = shards
        limits = [Limit(key="k", count=1, per_ms=60_000)]
        one.given.pending(9)
        assert len(one.claim(limits=limits).items) == 1
        with answers_lost(shards[0].store.lending, monkeypatch):
            assert one.claim(limits=limits).items == []
        one.calls._away_until = 0.0
        pass_time(60_000)
        assert len(one.claim(limits=limits).items) == 1

    @pytest.mark.parametrize("by", ["the home", "a shard"])
    def test_a_grant_that_was_kept_for_who_does_not_come_is_free(self, shards, pass_time, by):
        home, one, two = shards
        limits = [Limit(key="k", count=1, per_ms=60_000)]
        for shard in shards:
            shard.given.pending(1)
        assert len(home.claim(max=1, limits=limits).items) == 1
        home.given.pending(1)
        assert one.claim(limits=limits).items == []
        pass_time(62_000)
        assert len((home if by == "the home" else two).claim(limits=limits).items) == 1

    @pytest.mark.parametrize("first", ["the home", "a shard"])
    def test_the_home_and_a_shard_that_both_have_endless_work_get_half_of_a_rate(self, shards, pass_time, first):
        """Each asks again as soon as it has settled what it had."""
        home, one, _ = shards
        limits = [Limit(key="k", count=1, per_ms=1000)]
        order, begun = [home, one] if first == "the home" else [one, home], {home.name: 0, one.name: 0}
        for shard in order:
            shard.given.pending(40)
        for _ in range(20):
            for shard in order:
                items = shard.claim(limits=limits).items
                begun[shard.name] += len(items)
                while items:
                    _, claim = shard.settle_and_claim(
                        *[settlement(one, Outcome.DELIVERED) for one in items], limits=limits
                    )
                    items = claim.items
            pass_time(1000)
        assert sum(begun.values()) == 20
        assert min(begun.values()) >= 9

    def test_a_home_without_work_keeps_nothing(self, shards, pass_time):
        home, one, _ = shards
        limits = [Limit(key="k", count=1, per_ms=1000)]
        one.given.pending(9)
        home.given.pending(1)
        for _ in range(2):
            home.claim(limits=limits)
            pass_time(1000)
        for _ in range(3):
            assert len(one.claim(limits=limits).items) == 1
            pass_time(1000)

    def test_the_home_s_turn_waits_on_where_it_asks_too_early(self, shards, pass_time):
        home, one, _ = shards
        limits = [Limit(key="k", count=1, per_ms=1000)]
        for shard in (home, one):
            shard.given.pending(9)
        assert len(one.claim(limits=limits).items) == 1
        pass_time(500)
        assert home.claim(limits=limits).items == one.claim(limits=limits).items == []
        pass_time(500)
        assert one.claim(limits=limits).items == []
        assert len(home.claim(limits=limits).items) == 1

    def test_over_the_limit_it_is_asked_again_within_a_second(self, shards):
        _, one, _ = shards
        one.given.pending(3)
        limit = [Limit(key="k", count=2, per_ms=60_000)]
        assert len(one.claim(limits=limit).items) == 2
        claim = one.claim(limits=limit)
        assert (claim.items, claim.wait_ms) == ([], 1000)


class TestGates:
    """A gate is written by the home alone, and a closed one lets one delivery of all shards through."""

    def test_a_shard_whose_deliveries_were_all_blocked_asks_again_within_a_second(self, shards):
        """A person may open the gate in the home, of which this shard hears only so."""
        _, one, _ = shards
        one.given.pending(1)
        (delivery,) = one.claim().items
        one.settled(delivery, Outcome.BLOCKED, gate_ms=60_000)
        claim = one.claim()
        assert (claim.items, claim.wait_ms) == ([], 1000)

    def test_what_is_blocked_in_a_shard_closes_the_gate_in_the_home(self, run, shards, gate):
        home, one, two = shards
        for shard in shards:
            shard.given.pending(2)
        (delivery,) = one.claim(max=1).items
        one.settled(delivery, Outcome.BLOCKED, **BLOCKED)
        assert (gate().reason, gate().until) == ("no money", BEGIN + 60_000)
        assert [shard.claim().items for shard in shards] == [[], [], []]
        for shard in (one, two):
            assert run(shard.store.client.exists(shard.store.keys.gate(QUEUE), shard.store.keys.history(QUEUE))) == 0
        assert run(home.reader.counters())["closed", "books"] == 1

    @pytest.mark.parametrize("first", range(3))
    def test_one_delivery_of_all_shards_is_the_trial(self, shards, pass_time, gate, first):
        for shard in shards:
            shard.given.pending(3)
        (delivery,) = shards[1].claim(max=1).items
        shards[1].settled(delivery, Outcome.BLOCKED, **BLOCKED)
        pass_time(60_000)
        order = [shards[first], *(shard for shard in shards if shard is not shards[first])]
        claims = [shard.claim().items for shard in order]
        assert [len(items) for items in claims] == [1, 0, 0]
        assert [len(shard.claim().items) for shard in order] == [0, 0, 0]
        order[0].settled(claims[0][0])
        assert gate().until is None
        assert [change.change for change in _history(shards[0])] == ["closed", "opened"]

    def test_a_trial_whose_worker_died_is_followed_by_another(self, shards, pass_time):
        home, one, two = shards
        for shard in shards:
            shard.given.pending(2)
        one.settled(one.claim(max=1).items[0], Outcome.BLOCKED, **BLOCKED)
        pass_time(60_000)
        assert len(two.claim().items) == 1
        two.start("w2")
        pass_time(LEASE_MS)
        assert len(one.claim().items) == 1
        assert home.claim().items == []

    def test_a_trial_that_a_shard_does_not_make_is_free_for_others(self, run, shards, pass_time, gate):
        """What was blocked itself is no trial before its gate's time: the home does not know what a shard has."""
        home, one, _ = shards
        one.given.pending(1)
        (delivery,) = one.claim().items
        one.settled(delivery, Outcome.BLOCKED, **BLOCKED | {"gate_sure": False})
        pass_time(1000)
        home.given.pending(1)
        assert one.claim().items == []
        assert gate().until == BEGIN + 60_000
        assert len(home.claim().items) == 1

    def test_a_route_s_gate_keeps_back_that_route_alone(self, shards, pass_time):
        home, one, _ = shards
        one.given.pending(2, route="invoices")
        first, _ = one.claim().items
        one.settled(first, Outcome.BLOCKED, **BLOCKED | {"gate_scope": "route"})
        one.given.pending(1, route="other")
        home.given.pending(1, route="invoices")
        (other,) = one.claim().items
        assert other.route == "other"
        one.settled(other)
        assert home.claim().items == []
        pass_time(60_000)
        assert [item.route for item in one.claim().items] == ["invoices"]
        assert home.claim().items == []

    def test_failures_of_all_shards_trip_one_breaker_and_one_is_due_for_the_trial(self, shards, pass_time, gate):
        _, one, two = shards
        later = {"delay_ms": 3_600_000, "reason": "503"}
        for shard in (one, two):
            shard.given.pending(5)
            shard.settle(*[settlement(item, Outcome.RETRY, **later) for item in shard.claim().items])
        assert gate().breaker
        assert gate().reason.startswith("10 of 10 attempts failed")
        pass_time(1000)
        assert one.claim().items == []
        (trial,) = two.claim().items
        assert trial.trial
        two.settled(trial)
        assert gate().until is None

    def test_what_waits_in_a_shard_because_the_sink_failed_is_due_when_it_has_opened(self, shards, pass_time):
        _, one, two = shards
        later = {"delay_ms": 3_600_000, "reason": "503"}
        one.given.pending(10)
        one.settle(*[settlement(item, Outcome.RETRY, **later) for item in one.claim().items])
        two.given.pending(1)
        pass_time(6000)
        (trial,) = two.claim().items
        two.settled(trial)
        one.given.pending(1)
        assert len(one.claim().items) == 1  # the rate grows in steps
        pass_time(60_000)
        assert len(one.claim(max=20).items) == 10

    def test_who_was_blocked_though_another_arrived_is_at_fault(self, shards, pass_time):
        home, one, _ = shards
        one.given.pending(1)
        one.settled(one.claim().items[0], Outcome.BLOCKED, **BLOCKED)
        pass_time(60_000)
        home.given.pending(1)
        home.settled(home.claim().items[0])
        pass_time(60_000)
        (again,) = one.claim().items
        assert again.at_fault

    def test_a_paused_sink_is_paused_in_every_shard(self, run, shards):
        home, one, _ = shards
        one.given.pending(1)
        run(home.store.acts.pause("books", ANNA, None))
        claim = one.claim()
        assert (claim.items, claim.wait_ms) == ([], 1000)
        run(home.store.acts.resume("books", ANNA))
        assert len(one.claim().items) == 1


class TestHomeAway:
    """Where the home does not answer what waits in other shards waits on, unattempted; what is out is settled."""

    @pytest.fixture
    def away(self, shards, monkeypatch):
        """Let the home be away; the function lets it answer again."""
        lending = shards[0].store.lending

        async def fail(*_: object) -> None:
            raise StoreUnavailable("it is away")

        def back() -> None:
            monkeypatch.undo()
            for shard in shards[1:]:
                shard.calls._away_until = 0.0

        def leave() -> None:
            monkeypatch.setattr(lending, "lend", fail)

        leave.back = back
        return leave

    def test_nothing_leaves_and_no_attempt_is_consumed(self, run, shards, away):
        _, one, _ = shards
        (id,) = one.given.pending(1)
        away()
        with capture_logs() as lines:
            claim = one.claim()
            one.claim()
        assert claim.items == []
        assert 0 < claim.wait_ms <= 2000
        assert [line["event"] for line in lines] == ["sink.home_away"]
        (found,) = run(one.reader.deliveries([id]))
        assert (found.state, found.attempts) == ("pending", 0)
        away.back()
        assert len(one.claim().items) == 1

    def test_what_is_out_is_settled_and_reported_when_it_is_back(self, shards, away, lent):
        _, one, _ = shards
        one.given.pending(2)
        first, second = one.claim(concurrency=2).items
        away()
        assert one.settled(first) == "settled"
        assert len(lent()) == 2
        away.back()
        assert one.settled(second) == "settled"
        assert lent() == []

    def test_what_was_lent_in_a_call_of_which_nobody_heard_is_given_back_with_the_next(
        self, shards, lent, monkeypatch, pass_time
    ):
        _, one, _ = shards
        one.given.pending(2)
        with answers_lost(shards[0].store.lending, monkeypatch):
            assert one.claim(concurrency=2).items == []
            assert len(lent()) == 2
        one.calls._away_until = 0.0
        pass_time(2000)
        assert len(one.claim(concurrency=2).items) == 2
        assert len(lent()) == 2


def _history(home: Shard):
    return home._run(home.reader.gate_history(QUEUE))
