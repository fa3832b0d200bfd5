"""Claim takes what may be taken of a queue now, under a lease."""

import asyncio
import random

import pytest

from relay.model import DeliveryState, Limit, Outcome, ReceiptState
from relay.store.body import pack
from relay.store.keys import INBOX, JOBS, sink_queue
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import BODY, end_leases, give_back, hook, ids_in_queue, new, routed, settlement


def ids(claim):
    return [item.id for item in claim.items]


class TestItems:
    """What a claim returns."""

    def test_a_receipt_comes_whole(self, run, store):
        run(store.accept([hook("r1", request_id="q1")]))
        claim = run(store.claim_receipts("router", 10, 60_000))
        (receipt,) = claim.items
        assert (receipt.id, receipt.source, receipt.body, receipt.request_id, receipt.user_agent) == (
            "r1", "acme", BODY, "q1", "amoCRM/1.0",
        )  # fmt: skip
        assert claim.token == "router"

    def test_a_delivery_comes_with_its_content_and_its_history(self, run, store, given, look):
        (receipt,) = given.taken()
        content = "Сделка".encode() + bytes(range(256))
        run(store.save_routed("router", [routed(receipt, new("d1", receipt.id, route="счета", content=content))]))
        (delivery,) = given.claim("w1").items
        assert (delivery.id, delivery.event_id, delivery.route, delivery.sink, delivery.source) == (
            "d1", f"{receipt.id}.0", "счета", "books", "acme",
        )  # fmt: skip
        assert (delivery.content, delivery.token, delivery.attempts, delivery.deaths, delivery.sending) == (
            content, "w1", 0, 0, False,
        )  # fmt: skip
        assert delivery.accepted_at == receipt.received_at <= delivery.created_at == look("d1").created_at

    def test_a_body_that_was_compressed_comes_as_it_was(self, run, store, until):
        """A receipt that is routed again after its body was compressed."""
        body = BODY * 100
        run(store.accept([hook("r1", body)]))
        (receipt,) = run(store.claim_receipts("router", 1, 60_000)).items
        run(store.save_routed("router", [routed(receipt, packed=pack(body))]))
        assert run(store.client.strlen(store.keys.body("r1"))) < len(body) / 2
        run(store.client.zadd(store.keys.due("inbox"), {"r1": 1}))
        (again,) = run(store.claim_receipts("router", 1, 60_000)).items
        assert again.body == body
        run(store.client.zrem(store.keys.leased("inbox"), "r1"))

    def test_of_large_receipts_a_claim_takes_a_megabyte_and_the_rest_is_due_at_once(self, run, store):
        run(store.accept([hook(f"r{n}", b"x" * 250_000 + b"%d" % n) for n in range(9)]))
        claims = [run(store.claim_receipts("router", 200, 60_000)) for _ in range(4)]
        assert [(len(claim.items), claim.wait_ms) for claim in claims[:2]] == [(4, 0), (4, 0)]
        assert [len(claim.items) for claim in claims[2:]] == [1, 0]
        assert len({id for claim in claims for id in ids(claim)}) == 9

    def test_an_empty_queue_has_nothing_and_nothing_to_wait_for(self, given):
        claim = given.claim()
        assert (claim.items, claim.poisoned, claim.wait_ms) == ([], [], -1)

    def test_what_was_claimed_is_hidden(self, given, until):
        given.claimed(2)
        claim = given.claim("w2")
        assert claim.items == []
        assert 50_000 < claim.wait_ms <= 60_000  # their leases

    def test_what_is_not_due_yet_is_waited_for(self, given):
        given.settled(given.leased(), Outcome.RETRY, delay_ms=60_000)
        claim = given.claim()
        assert claim.items == []
        assert 50_000 < claim.wait_ms <= 60_000

    def test_records_that_are_gone_leave_the_queue(self, run, store, given):
        (lost, kept), (receipt, _) = given.pending(2), run(store.client.zrange(store.keys.receipts, 0, -1))
        run(store.client.delete(store.keys.delivery(lost), store.keys.receipt(receipt.decode())))
        run(store.client.delete(*run(store.client.keys(store.keys.content(f"{receipt.decode()}*")))))
        assert ids(given.claim()) == [kept]

    def test_records_that_go_while_they_are_leased_leave_the_queue(self, run, store, given, until):
        lost = given.leased(lease_ms=1)
        receipt = lost.event_id.partition(".")[0]
        run(store.client.delete(store.keys.delivery(lost.id), store.keys.receipt(receipt)))
        run(store.client.delete(*run(store.client.keys(store.keys.content(f"{receipt}*")))))
        until(lambda: given.claim().wait_ms == -1)
        assert run(store.client.exists(store.keys.leased(sink_queue("books")))) == 0


class TestChoice:
    """Half from the oldest, half from the newest, where not all can be taken."""

    @pytest.mark.parametrize(
        ("max", "taken"),
        [(4, [0, 1, 9, 8]), (6, [0, 1, 2, 9, 8, 7]), (10, list(range(10))), (50, list(range(10)))],
    )
    def test_old_and_new_halves(self, given, max, taken):
        made = given.pending(10)
        assert ids(given.claim(max=max)) == [made[n] for n in taken]

    def test_odd_numbers_give_the_one_over_to_either_end(self, given):
        made = given.pending(10)
        got = ids(given.claim(max=3))
        assert got in ([made[0], made[1], made[9]], [made[0], made[9], made[8]])

    def test_one_at_a_time_neither_end_starves(self, given, until):
        """A busy sink frees one slot at a time: that must not mean the oldest each time."""
        made = given.pending(40)
        ends = set()
        rest = list(made)

        def both_ends_seen():
            (delivery,) = given.claim(max=1).items
            ends.add("oldest" if delivery.id == rest[0] else "newest" if delivery.id == rest[-1] else "neither")
            rest.remove(delivery.id)
            return len(ends) == 2

        until(both_ends_seen)
        assert ends == {"oldest", "newest"}

    def test_at_most_max(self, given):
        given.pending(5)
        claim = given.claim(max=2)
        assert len(claim.items) == 2
        assert claim.wait_ms == 0  # more may be taken at once


class TestConcurrency:
    """No more in flight than a sink can take, over all workers."""

    def test_free_slots_and_no_more(self, given):
        given.pending(5)
        first = given.claim("w1", concurrency=3)
        assert len(first.items) == 3
        second = given.claim("w2", concurrency=3)
        assert (second.items, second.wait_ms) == ([], -1)  # the settle of one is what to wait for
        given.settled(first.items[0], Outcome.DELIVERED)
        assert len(given.claim("w2", concurrency=3).items) == 1

    def test_exact_with_several_claimers_at_once(self, run, store, given):
        given.pending(20)

        async def claim_at_once():
            return await asyncio.gather(
                *(store.claim_deliveries(sink_claim_request("books", f"w{n}", 4, 60_000, 7, [])) for n in range(6))
            )

        claims = run(claim_at_once())
        taken = [delivery.id for claim in claims for delivery in claim.items]
        assert len(taken) == len(set(taken)) == 7

    def test_a_smaller_bound_than_what_flies_gives_nothing(self, given):
        """The configuration changed."""
        given.pending(5)
        assert len(given.claim(concurrency=4).items) == 4
        assert given.claim(concurrency=2).items == []

    def test_none_is_no_bound(self, given):
        given.pending(5)
        assert len(given.claim(concurrency=0).items) == 5

    def test_a_lease_that_ran_out_frees_its_slot(self, given, until):
        given.pending(2)
        (dying,) = given.claim("w1", concurrency=1, max=1, lease_ms=1).items
        claim = until(lambda: (c := given.claim("w2", concurrency=1)).items and c)
        assert len(claim.items) == 1
        assert dying.deaths == 0


class TestLimits:
    """At most `count` grants in any window of `per_ms`, counted under a key over all claimers."""

    @pytest.mark.parametrize("seed", range(6))
    def test_grants_never_exceed_the_count_in_any_window(self, run, store, given, until, seed):
        dice = random.Random(seed)
        limits = [Limit(key="k1", count=dice.randint(1, 6), per_ms=dice.randint(2, 25))]
        if seed % 2:
            limits.append(Limit(key="k2", count=dice.randint(3, 9), per_ms=dice.randint(10, 30)))
        given.pending(30)
        granted: dict[str, int] = {}
        leased = store.keys.leased(sink_queue("books"))

        def all_granted():
            for id in ids(given.claim(f"w{dice.randint(1, 3)}", max=dice.randint(1, 8), limits=limits)):
                granted[id] = int(run(store.client.zscore(leased, id))) - 60_000  # the end of its lease tells when
            return len(granted) == 30

        until(all_granted)
        times = list(granted.values())
        assert times == sorted(times)
        for limit in limits:
            windows = zip(times, times[limit.count :], strict=False)
            assert all(later - earlier >= limit.per_ms for earlier, later in windows)
            assert run(store.client.llen(store.keys.grants(limit.key))) <= limit.count

    def test_over_the_limit_it_says_when_the_next_grant_is(self, given):
        given.pending(5)
        limit = [Limit(key="k", count=2, per_ms=60_000)]
        assert len(given.claim(limits=limit).items) == 2
        claim = given.claim("w2", limits=limit)
        assert claim.items == []
        assert 50_000 < claim.wait_ms <= 60_000

    def test_a_limit_is_shared_by_the_sinks_of_one_account(self, given):
        given.pending(3)
        given.pending(3, sink="ledger")
        limit = [Limit(key="account", count=4, per_ms=60_000)]
        assert len(given.claim("w1", limits=limit).items) == 3
        assert len(given.claim("w2", sink="ledger", limits=limit).items) == 1

    def test_the_tightest_of_several_decides(self, given):
        given.pending(9)
        limits = [Limit(key=f"k{count}", count=count, per_ms=60_000) for count in (5, 2, 7)]
        assert len(given.claim(limits=limits).items) == 2
        assert given.claim(limits=limits).wait_ms > 0

    def test_only_what_was_taken_is_granted(self, run, store, given):
        given.pending(1)
        given.claim(limits=[Limit(key="k", count=10, per_ms=60_000)])
        assert run(store.client.llen(store.keys.grants("k"))) == 1

    def test_a_limit_that_was_lowered_waits_and_goes_on(self, run, store, reader, given):
        """Its log is longer than the new count, and part of it is out of the window."""
        now = run(reader.now())
        run(store.client.rpush(store.keys.grants("k"), *[now - 120_000] * 7, *[now] * 3))
        given.pending(4)
        limit = [Limit(key="k", count=5, per_ms=60_000)]
        assert [len(given.claim(max=1, limits=limit).items) for _ in range(3)] == [1, 1, 0]
        claim = given.claim(max=1, limits=[Limit(key="k", count=2, per_ms=60_000)])
        assert claim.items == []
        assert claim.wait_ms > 0

    def test_a_limit_that_was_raised_gives_more(self, given):
        given.pending(6)
        assert len(given.claim(limits=[Limit(key="k", count=2, per_ms=60_000)]).items) == 2
        assert len(given.claim(limits=[Limit(key="k", count=5, per_ms=60_000)]).items) == 3


class TestDeath:
    """A worker that dies simply stops: its leases run out."""

    @pytest.fixture
    def kill(self, run, store, given):
        """Let workers die holding what is due, once each."""

        def die(times: int, **more):
            for n in range(times):
                assert given.claim(f"dying{n}", **more).items
                run(end_leases(store, sink_queue("books")))

        return die

    def test_a_lease_that_ran_out_comes_back_with_its_death_counted(self, given, until):
        given.claimed(1, lease_ms=1)
        (again,) = until(lambda: given.claim("w2").items)
        assert (again.deaths, again.token) == (1, "w2")

    def test_a_receipt_comes_with_the_deaths_it_has_seen(self, run, store, given, until):
        (id,) = given.accepted()
        (first,) = run(store.claim_receipts("dying", 1, 1)).items
        (again,) = until(lambda: run(store.claim_receipts("w2", 1, 60_000)).items)
        assert (first.id, first.deaths, again.id, again.deaths) == (id, 0, id, 1)

    def test_a_lease_that_has_not_run_out_does_not_come_back(self, given):
        given.claimed(1, lease_ms=60_000)
        assert given.claim("w2").items == []

    def test_from_the_second_death_it_is_taken_alone(self, given, kill, until):
        (deadly,) = given.pending()
        kill(2)
        (again,) = until(lambda: given.claim("w1").items)
        assert again.deaths == 2
        given.given_back(again)
        others = given.pending(3)
        assert ids(given.claim()) == [deadly]
        assert ids(given.claim()) == others

    def test_the_healthy_before_it_are_taken_without_it(self, run, store, given):
        healthy, deadly, other = given.pending(3)
        run(store.client.hset(store.keys.delivery(deadly), "died", 2))
        assert ids(given.claim()) == [healthy, other]
        assert ids(given.claim()) == [deadly]

    def test_after_one_death_it_is_taken_with_the_others(self, run, store, given):
        first, second = given.pending(2)
        run(store.client.hset(store.keys.delivery(first), "died", 1))
        assert ids(given.claim()) == [first, second]

    def test_a_delivery_is_poisoned_at_the_fifth(self, run, reader, given, look, look_at_receipt, until, kill):
        (deadly,) = given.pending()
        kill(5)
        claim = until(lambda: (c := given.claim()).poisoned and c)
        assert (claim.poisoned, claim.items) == ([deadly], [])
        found = look(deadly)
        assert (found.state, found.reason, found.deaths) == (DeliveryState.DEAD, "the worker died five times", 5)
        assert found.finished_at >= found.created_at
        assert run(ids_in_queue(reader, "books")) == [deadly]
        assert run(reader.counters())["delivery", "books", "dead"] == 1

    def test_a_receipt_is_poisoned_at_the_fifth(self, run, store, reader, given, look_at_receipt, until):
        (deadly,) = given.accepted()
        for _ in range(5):
            assert run(store.claim_receipts("dying", 1, 60_000)).items
            run(end_leases(store, INBOX))
        claim = run(store.claim_receipts("w", 1, 1))
        assert (claim.poisoned, claim.items) == ([deadly], [])
        kept = look_at_receipt(deadly)
        assert (kept.state, kept.reason) == (ReceiptState.QUARANTINED, "the worker died five times")
        assert run(reader.inbox()) == (0, 0)
        assert run(reader.counters())["receipt", "acme", "quarantined"] == 1

    def test_a_poisoned_receipt_keeps_its_deliveries_of_earlier_parts_going(self, run, store, given, until):
        (receipt,) = given.taken()
        run(store.save_routed("router", [routed(receipt, new("d1", receipt.id), last=False)]))
        run(give_back(store, INBOX, "r", [receipt.id]))
        for _ in range(5):
            assert run(store.claim_receipts("dying", 1, 60_000)).items
            run(end_leases(store, INBOX))
        assert run(store.claim_receipts("w", 1, 1)).poisoned
        assert given.settled(given.claim().items[0], Outcome.DELIVERED) == "settled"

    def test_a_job_is_put_off_at_the_fifth(self, run, store, reader, until):
        run(store.enqueue_job("j1", "retention"))
        for n in range(5):
            (job,) = run(store.claim_jobs("dying", 1, 60_000)).items
            assert job.id == "j1", n
            run(end_leases(store, JOBS))
        claim = run(store.claim_jobs("w", 1, 1))
        assert (claim.poisoned, claim.items) == (["j1"], [])
        assert 3_500_000 < claim.wait_ms <= 3_600_000
        assert run(reader.jobs()) == (1, 0)

    def test_an_attempt_that_settles_clears_the_count(self, given, until, kill, look):
        given.pending()
        kill(2)
        (delivery,) = until(lambda: given.claim().items)
        assert look(delivery.id).deaths == 2
        given.settled(delivery, Outcome.RETRY)
        assert look(delivery.id).deaths == 0

    def test_many_come_back_over_several_claims(self, given, until):
        """A script takes back a hundred at a time; none is left behind."""
        made = set(given.pending(70) + given.pending(70))
        given.claim("w1", max=70, lease_ms=1)
        given.claim("w1", max=70, lease_ms=1)
        back: set[str] = set()

        def all_back():
            back.update(ids(given.claim("w2", max=200)))
            return back == made

        until(all_back)
        assert back == made


def test_settling_as_the_gate_closes_touches_no_other_items(given, run, store):
    """A micro-batch: one is blocked, the others were delivered."""
    first, *others = given.claimed(3)
    answers = given.settle(
        settlement(first, Outcome.BLOCKED, gate_ms=60_000), *(settlement(d, Outcome.DELIVERED) for d in others)
    )
    assert answers == ["settled"] * 3
    assert run(store.client.zcard(store.keys.due(sink_queue("books")))) == 1
