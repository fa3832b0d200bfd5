"""Who is to blame for a worker's death: what it held alone, not what was beside it, nor what it never heard of."""

import asyncio
import time

import pytest
import redis.exceptions

from relay.errors import StoreUnavailable
from relay.model import DeliveryState, Outcome, ReceiptState, Result
from relay.store.keys import INBOX, JOBS, sink_queue
from relay.store.records import SUSPECT_AFTER
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from tests.integration.scripted_sink import (
    ScriptedSink,
    WatchedStore,
    make_drainer,
    open_tools,
    queue_deliveries,
)
from tests.integration.store.shapes import end_leases, hook, new, routed
from tests.unit.store.lua_source import places
from workers.hand import Hand

HOUR = 3_600_000
QUEUES = (INBOX, JOBS, sink_queue("books"), sink_queue("sms"))


@pytest.fixture
def die(run, store):
    """Let a worker claim all that it may of the inbox and two sinks, and die with it."""

    def go(worker: str) -> list[str]:
        held = [receipt.id for receipt in run(store.claim_receipts(f"{worker}:r1", 9, HOUR)).items]
        for sink in ("books", "sms"):
            request = sink_claim_request(sink, f"{worker}:{sink}", 9, HOUR, 9, ())
            held += [delivery.id for delivery in run(store.claim_deliveries(request)).items]
        for queue in QUEUES:
            run(end_leases(store, queue))
        return held

    return go


@pytest.fixture
def beside(run, store) -> list[str]:
    """Make a receipt, and deliveries to two sinks, wait; return their ids."""
    made = queue_deliveries(run, store, [b"{}"]) + queue_deliveries(run, store, [b"{}"], sink="sms", first=1)
    run(store.accept([hook("poison", b"poison")]))
    return made


def deaths(run, store, reader) -> dict[str, int]:
    return {one.id: one.deaths for one in run(reader.deliveries(["d00000", "d00001"]))}


def test_what_was_in_flight_beside_a_poison_does_not_die_with_it(run, store, reader, beside, die):
    for n in range(9):
        assert "poison" in die(f"host:{n}")
    assert {one.state for one in run(reader.deliveries(beside))} == {DeliveryState.PENDING}
    assert run(reader.receipts(["poison"]))[0].state is ReceiptState.ACCEPTED


def test_what_kills_alone_is_put_aside_and_what_survives_alone_is_acquitted(run, store, reader, beside, die):
    for n in range(2):
        die(f"host:{n}")
    assert set(deaths(run, store, reader).values()) <= {1, 2}  # the last one is counted when somebody looks
    for n in range(5):
        assert run(store.claim_receipts(f"alone:{n}:r1", 9, HOUR)).items
        run(end_leases(store, INBOX))
    assert run(store.claim_receipts("w:r1", 9, HOUR)).poisoned == ["poison"]
    for sink, id in (("books", "d00000"), ("sms", "d00001")):
        claim = run(store.claim_deliveries(sink_claim_request(sink, "w:1", 9, HOUR, 9, ())))
        assert [(one.id, one.deaths) for one in claim.items] == [(id, 2)]


def test_a_receipt_that_was_routed_is_acquitted(run, store, reader):
    run(store.accept([hook("r1", b"1")]))
    for n in range(3):
        run(store.claim_receipts(f"host:{n}:r1", 9, HOUR))
        run(end_leases(store, INBOX))
    (receipt,) = run(store.claim_receipts("w:r1", 9, HOUR)).items
    assert receipt.deaths == 3
    run(store.save_routed("w:r1", [routed(receipt, new("d1", "r1"))]))
    assert run(store.client.hmget(store.keys.receipt("r1"), "died", "alone")) == [None, None]


class TestUnheard:
    """The answer to a claim was lost: nobody works at what it took, and nobody died."""

    def test_what_it_took_is_claimed_again_without_a_death(self, run, store, reader, beside):
        run(store.enqueue_job("j1", "retention"))
        for n in range(9):  # nobody hears of these
            lost = [f"w:{n - 1}"] if n else []
            run(store.claim_receipts(f"w:{n}", 9, HOUR, lost))
            run(store.claim_jobs(f"w:{n}", 9, HOUR, lost))
            run(store.claim_deliveries(sink_claim_request("books", f"w:{n}", 9, HOUR, 9, (), (0, 0), lost)))
        claims = [
            run(store.claim_receipts("w:9", 9, HOUR, ["w:8"])),
            run(store.claim_jobs("w:9", 9, HOUR, ["w:8"])),
            run(store.claim_deliveries(sink_claim_request("books", "w:9", 9, HOUR, 9, (), (0, 0), ["w:8"]))),
        ]
        assert [[item.id for item in claim.items] for claim in claims] == [["poison"], ["j1"], ["d00000"]]
        assert (claims[0].items[0].deaths, claims[2].items[0].deaths) == (0, 0)

    def test_of_others_nothing_is_given_back(self, run, store, beside):
        assert run(store.claim_receipts("w1:1", 9, HOUR)).items
        assert not run(store.claim_receipts("w2:1", 9, HOUR, ["w2:0", "w1:"])).items

    def test_a_trial_of_which_nobody_heard_is_followed_by_another(self, run, store, beside):
        run(store.client.hset(store.keys.gate(sink_queue("books")), "until", 1))
        request = sink_claim_request("books", "w:1", 9, HOUR, 9, ())
        assert run(store.claim_deliveries(request)).items
        again = sink_claim_request("books", "w:2", 9, HOUR, 9, (), (0, 0), ["w:1"])
        assert [one.id for one in run(store.claim_deliveries(again)).items] == ["d00000"]

    def test_a_claim_whose_connection_was_closed_is_made_again(self, run, store, namespace, beside):
        class Closing(Store):
            def __init__(self) -> None:
                super().__init__(store.client, namespace)
                carry_out, self.calls = self._call, 0

                async def call(*args):
                    answer = await carry_out(*args)
                    self.calls += 1
                    if self.calls == 1:
                        raise StoreUnavailable("closed") from redis.exceptions.ConnectionError("closed")
                    return answer

                self._call = call

        claim = run(Closing().claim_receipts("w:1", 9, HOUR))
        assert ([one.id for one in claim.items], claim.token) == (["poison"], "w:1+")
        assert not run(store.save_routed(claim.token, [routed(one) for one in claim.items]))[1]


def test_a_drainer_that_never_hears_of_its_claims_has_nothing_counted_against_them(run, store, namespace, reader):
    ids = queue_deliveries(run, store, [b"{}"] * 9)
    sink = ScriptedSink()
    lost = iter(range(12))

    async def lose() -> None:
        if next(lost, None) is not None:
            raise StoreUnavailable("no answer in time")

    async def go() -> None:
        async with open_tools(store, namespace) as tools:
            drainer = make_drainer(sink, WatchedStore(store, claim_deliveries=lose, settle_and_claim=lose), tools)
            while {one.state for one in await reader.deliveries(ids)} != {DeliveryState.DELIVERED}:
                drainer.start()  # as the ticker does
                await asyncio.sleep(0.01)
            await drainer.finish(time.monotonic() + 30)

    run(asyncio.wait_for(go(), 60))
    assert {one.deaths for one in run(reader.deliveries(ids))} == {0}
    assert len(sink.calls) == len(ids)


class TestHand:
    """A suspect is worked at when its process has nothing else in hand."""

    def test_scripts_and_workers_agree_who_is_one(self):
        assert places("_claiming")["ALONE_AFTER"] == SUSPECT_AFTER

    def test_it_waits_until_all_else_has_ended_and_nothing_else_is_begun(self, run, store, namespace, reader):
        suspect, *others = queue_deliveries(run, store, [b"{}"] * 4)
        run(store.client.hset(store.keys.delivery(suspect), "died", SUSPECT_AFTER))
        hand, together = Hand(), []

        class Watching(ScriptedSink):
            under_way = 0

            async def send(self, delivery, tools):
                self.under_way += 1
                await asyncio.sleep(0.02)
                together.append((delivery.id, self.under_way, hand.closed))
                self.under_way -= 1
                return Result(outcome=Outcome.DELIVERED, reason="")

        async def go() -> None:
            async with open_tools(store, namespace) as tools:
                drainer = make_drainer(Watching(concurrency=9), store, tools, hand=hand)
                drainer.start()
                await drainer.finish(time.monotonic() + 30)

        run(go())
        assert {one.state for one in run(reader.deliveries([suspect, *others]))} == {DeliveryState.DELIVERED}
        assert [(under_way, closed) for id, under_way, closed in together if id == suspect] == [(1, True)]

    def test_two_suspects_take_turns(self, run):
        hand, seen = Hand(), []

        async def work(name: str) -> None:
            async with hand.hold(suspect=True):
                seen.append(f"{name} begins")
                await asyncio.sleep(0)
                seen.append(f"{name} ends")

        async def go() -> None:
            await asyncio.gather(work("a"), work("b"))
            await asyncio.wait_for(hand.wait_until_open(), 30)

        run(go())
        assert seen == ["a begins", "a ends", "b begins", "b ends"]
        assert not hand.closed

    def test_it_does_not_wait_for_ever(self, run, monkeypatch):
        monkeypatch.setattr("workers.hand.ALONE_SECONDS", 0.01)
        hand, seen = Hand(), []

        async def go() -> None:
            async with hand.hold(suspect=False), hand.hold(suspect=True):
                seen.append("begun")

        run(asyncio.wait_for(go(), 30))
        assert seen == ["begun"]
