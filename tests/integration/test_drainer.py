"""What a drainer does: it looks up what may have arrived, sends in batches, and cancels what takes too long."""

import asyncio
import time

import msgspec
import pytest

from relay.errors import StoreUnavailable
from relay.model import DeliveryState, Limit, Outcome, Result
from relay.store.keys import sink_queue
from relay.store.requests import sink_claim_request
from relay.store.store import Store
from tests.integration.scripted_sink import (
    ScriptedSink,
    SingleSinkConfig,
    drain,
    make_drainer,
    open_tools,
    queue_deliveries,
)

UNKNOWN, RETRY, DELIVERED = Outcome.UNKNOWN, Outcome.RETRY, Outcome.DELIVERED
LOST = Result(outcome=UNKNOWN, reason="no answer in time")  # then it is looked up after the sink's own time
DEFECT = ValueError("a defect")


@pytest.fixture
def drained(run, store, namespace, reader):
    """Return a function that drains one delivery to a sink, and returns it."""

    def go(sink):
        run(drain(store, namespace, sink))
        (found,) = run(reader.deliveries(["d00000"]))
        return found

    return go


@pytest.fixture
def waiting(run, store):
    """Make one delivery wait."""
    queue_deliveries(run, store, [b"{}"])


@pytest.mark.parametrize(
    ("finds", "sends", "calls", "state"),
    [
        ([DELIVERED], [LOST], ["send", "lookup"], "delivered"),
        ([RETRY], [LOST, DELIVERED], ["send", "lookup", "send"], "delivered"),
        ([RETRY, DELIVERED], [LOST, LOST], ["send", "lookup", "send", "lookup"], "delivered"),
        ([Outcome.THROTTLED, DELIVERED], [LOST], ["send", "lookup", "lookup"], "delivered"),
        ([Outcome.BLOCKED, DELIVERED], [LOST], ["send", "lookup", "lookup"], "delivered"),
        ([UNKNOWN], [LOST], ["send", "lookup"], "held"),
        ([DEFECT], [LOST], ["send", "lookup"], "held"),
        ([Outcome.REJECTED], [LOST], ["send", "lookup"], "dead"),
        ([], [RETRY, DELIVERED], ["send", "send"], "delivered"),
        ([], [Outcome.THROTTLED, DELIVERED], ["send", "send"], "delivered"),
        ([DELIVERED], [DEFECT], ["send", "lookup"], "delivered"),
    ],
)
def test_what_may_have_arrived_is_looked_up_and_never_just_sent(waiting, drained, finds, sends, calls, state):
    sink = ScriptedSink(finds=finds, sends=sends, on_unknown="lookup", attempts=9)
    assert (drained(sink).state, sink.calls) == (state, calls)


def test_it_is_looked_up_though_no_attempt_is_left_and_then_not_sent(waiting, drained):
    sink = ScriptedSink(finds=[RETRY], sends=[LOST], on_unknown="lookup", attempts=1)
    found = drained(sink)
    assert (found.state, sink.calls) == (DeliveryState.DEAD, ["send", "lookup"])
    assert found.reason == "gave up after 1 attempt: scripted"


def test_a_sink_knows_how_often_the_bytes_left(waiting, drained):
    sink = ScriptedSink(finds=[RETRY], sends=[LOST, RETRY, DELIVERED], on_unknown="lookup", attempts=9)
    drained(sink)
    assert [(seen.sending, seen.sends) for seen in sink.seen] == [(False, 0), (True, 1), (False, 2)]


@pytest.mark.parametrize(
    ("on_unknown", "calls", "state"),
    [("lookup", ["lookup"], "delivered"), ("hold", [], "held"), ("retry", ["send"], "delivered")],
)
def test_what_a_dead_worker_was_sending_is_not_just_sent_again(run, store, waiting, drained, on_unknown, calls, state):
    (dying,) = run(store.claim_deliveries(sink_claim_request("books", "dead", 1, 60_000, 8, ()))).items
    assert run(store.mark_sending([dying])) == [True]
    run(store.client.zadd(store.keys.leased(sink_queue("books")), {dying.id: 1}))  # as if its lease had run out
    sink = ScriptedSink(on_unknown=on_unknown)
    assert (drained(sink).state, sink.calls) == (state, calls)


class Putting(ScriptedSink):
    """As an http sink whose requests are PUT: nobody promised anything, and each may come twice."""

    def repeatable(self, _delivery):
        return True


@pytest.mark.parametrize("lost", [LOST, DEFECT], ids=["lost", "defect"])
def test_what_does_no_harm_twice_is_sent_again_whatever_they_promise(waiting, drained, lost):
    sink = Putting(sends=[lost, DELIVERED], on_unknown="hold")
    assert (drained(sink).state, sink.calls) == (DeliveryState.DELIVERED, ["send", "send"])
    assert [seen.sending for seen in sink.seen] == [False, False]  # nothing was marked


def test_a_sink_that_cannot_reach_the_store_has_sent_nothing(waiting, drained):
    sink = ScriptedSink(sends=[StoreUnavailable("away"), DELIVERED], on_unknown="hold")
    assert (drained(sink).state, sink.calls) == (DeliveryState.DELIVERED, ["send", "send"])


class Batching(ScriptedSink):
    batch = 50
    batch_from = 10


def test_what_waits_goes_in_batches_of_one_grant_each_and_the_rest_alone(run, store, namespace, reader):
    ids = queue_deliveries(run, store, [b"{}"] * 105)
    sink = Batching(on_unknown="retry")
    sink.limits = (Limit(key="shared", count=300, per_ms=60_000),)
    run(drain(store, namespace, sink, sink))
    assert [len(batch) for batch in sink.batches] == [50, 50]
    assert len(sink.calls) == 5
    assert sorted([id for batch in sink.batches for id in batch] + [seen.id for seen in sink.seen]) == ids
    assert run(store.client.llen(store.keys.grants("shared"))) == 2 + 5
    assert {found.state for found in run(reader.deliveries(ids))} == {DeliveryState.DELIVERED}


def test_while_a_batch_is_out_nothing_else_is(run, store):
    queue_deliveries(run, store, [b"{}"] * 60)
    first = run(store.claim_deliveries(sink_claim_request("books", "w1", 8, 60_000, 8, (), (50, 10))))
    second = run(store.claim_deliveries(sink_claim_request("books", "w2", 8, 60_000, 8, (), (50, 10))))
    assert (len(first.items), first.batched, second.items) == (50, True, [])


def test_a_sink_that_was_blocked_is_tried_with_one_delivery(run, store):
    queue_deliveries(run, store, [b"{}"] * 60)
    run(store.client.hset(store.keys.gate(sink_queue("books")), "until", 1))
    claim = run(store.claim_deliveries(sink_claim_request("books", "w1", 8, 60_000, 8, (), (50, 10))))
    assert (len(claim.items), claim.batched) == (1, False)


def test_a_batch_that_fails_as_a_whole_is_tried_again(run, store, namespace, reader):
    ids = queue_deliveries(run, store, [b"{}"] * 20)
    sink = Batching(sends=[DEFECT], on_unknown="retry", retry=["0ms"])  # all of them are due again at one moment
    run(drain(store, namespace, sink))
    assert [len(batch) for batch in sink.batches] == [20, 20]
    assert {found.state for found in run(reader.deliveries(ids))} == {DeliveryState.DELIVERED}


class Admitting(ScriptedSink):
    """Has a policy of its own: the first try is refused by it."""

    def __init__(self, refusal, **settings) -> None:
        super().__init__(**settings)
        self._refusals = iter([refusal])

    async def admit(self, delivery, tools):
        refusal = next(self._refusals, None)
        if isinstance(refusal, Exception):
            raise refusal
        return refusal


@pytest.mark.parametrize(
    "refusal", [Result(outcome=Outcome.THROTTLED, reason="not at night", after_ms=1), ValueError("a defect")]
)
def test_what_a_sinks_own_policy_refuses_was_not_sent(waiting, drained, refusal):
    sink = Admitting(refusal, on_unknown="lookup")
    assert (drained(sink).state, sink.calls) == (DeliveryState.DELIVERED, ["send"])
    assert [(seen.sending, seen.sends) for seen in sink.seen] == [(False, 0)]


def test_where_a_policy_cannot_reach_the_store_it_is_tried_again_soon(waiting, drained):
    sink = Admitting(StoreUnavailable("away"), on_unknown="lookup")
    found = drained(sink)
    assert (found.state, found.deaths, sink.calls) == (DeliveryState.DELIVERED, 0, ["send"])


class Hanging(Batching):
    """Never returns from one of its methods, and has a short timeout."""

    def __init__(self, at, **settings) -> None:
        super().__init__(timeout="1ms", **settings)
        self._at = at
        self.hung = asyncio.Event()

    async def _may_hang(self, point) -> None:
        if point == self._at:
            self.hung.set()
            await asyncio.get_running_loop().create_future()

    async def admit(self, delivery, tools):
        await self._may_hang("admit")

    async def send(self, delivery, tools):
        await self._may_hang("send")
        return await super().send(delivery, tools)

    async def lookup(self, delivery, tools):
        self.calls.append("lookup")
        await self._may_hang("lookup")

    async def send_batch(self, deliveries, tools):
        self.batches.append([delivery.id for delivery in deliveries])
        await self._may_hang("batch")


class TestOverdue:
    """An attempt that does not keep its sink's timeout is cancelled by the drainer."""

    @pytest.fixture(autouse=True)
    def short_margin(self, monkeypatch):
        monkeypatch.setattr(SingleSinkConfig.config.worker, "lease_margin", 1000)

    @pytest.fixture
    def reasons(self, run, reader):
        """Return a function that returns outcome and reason of each attempt at the first delivery."""
        return lambda: [(attempt.outcome, attempt.reason) for attempt in run(reader.story("d00000"))]

    def test_of_what_hangs_while_it_is_sent_there_is_no_telling(self, waiting, drained, reasons):
        found = drained(Hanging("send", on_unknown="hold"))
        assert found.state is DeliveryState.HELD
        assert reasons() == [(UNKNOWN, "not finished within the sink's timeout")]

    def test_a_look_up_that_hangs_is_made_again_later(self, waiting, drained, reasons, run, reader):
        found = drained(Hanging("lookup", sends=[LOST], on_unknown="lookup"))
        assert (found.state, found.attempts) == (DeliveryState.PENDING, 1)
        assert reasons() == [(UNKNOWN, LOST.reason), (Outcome.THROTTLED, "not finished within the sink's timeout")]
        assert found.due_at > run(reader.now())  # not at once

    def test_of_a_batch_that_hangs_all_are_tried_again(self, run, store, namespace, reader, reasons):
        ids = queue_deliveries(run, store, [b"{}"] * 20)
        sink = Hanging("batch", on_unknown="retry", retry=["1h"])
        run(drain(store, namespace, sink))
        assert [sorted(batch) for batch in sink.batches] == [ids]
        found = run(reader.deliveries(ids))
        assert {(one.state, one.attempts) for one in found} == {(DeliveryState.PENDING, 1)}
        assert reasons() == [(UNKNOWN, "not finished within the sink's timeout")]

    def test_what_hangs_before_anything_left_is_left_to_its_lease(self, waiting, drained, reasons, monkeypatch):
        monkeypatch.setattr(
            "workers.drainer.SHORT_WAIT_MS", 0
        )  # else the drainer is still there when the lease runs out
        sink = Hanging("admit", on_unknown="hold")
        found = drained(sink)
        assert (found.state, found.in_flight, sink.calls, reasons()) == (DeliveryState.PENDING, True, [], [])

    def test_the_others_go_on_beside_it(self, run, store, namespace, reader):
        ids = queue_deliveries(run, store, [b"{}"] * 9)

        class FirstHangs(Hanging):
            async def send(self, delivery, tools):
                self._at = "send" if delivery.id == ids[0] else None
                return await super().send(delivery, tools)

        run(drain(store, namespace, FirstHangs("send", on_unknown="hold", concurrency=2)))
        assert [one.state for one in run(reader.deliveries(ids))] == ["held"] + ["delivered"] * 8

    def test_it_is_cut_however_busy_the_others_keep_the_drainer(self, run, store, namespace):
        """Whenever the store has answered, another attempt has ended: the drainer never has to wait."""
        hanging, *_ = queue_deliveries(run, store, [b"{}"] * 3)
        sink = Busy(hanging)

        class WhileAsked(Store):
            async def settle_and_claim(self, *args, **more):
                answered = await super().settle_and_claim(*args, **more)
                await sink.another_ended()
                return answered

        run(drain(WhileAsked(store.client, namespace), namespace, sink))
        assert sink.cut
        assert sink.calls_overdue < Busy.ENOUGH

    def test_what_is_in_flight_when_the_worker_stops_is_cut_off_as_that(self, run, store, namespace, reader, reasons):
        queue_deliveries(run, store, [b"{}"])
        sink = Hanging("send", on_unknown="hold")
        sink.timeout_ms = 60_000  # it has time, but the worker has none

        async def stop_while_it_hangs() -> None:
            stopping = asyncio.Event()
            async with open_tools(store, namespace) as tools:
                drainer = make_drainer(sink, store, tools, stopping=stopping.is_set)
                drainer.start()
                await sink.hung.wait()
                stopping.set()
                await drainer.finish(time.monotonic())

        run(stop_while_it_hangs())
        assert run(reader.deliveries(["d00000"]))[0].state is DeliveryState.HELD
        assert reasons() == [(UNKNOWN, "interrupted because the worker stopped")]

    def test_what_a_claim_on_its_way_begins_while_the_worker_stops_is_cut_off_too(self, run, store, namespace, reader):
        ids = queue_deliveries(run, store, [b"{}"] * 2)
        sink = Hanging("send", on_unknown="hold", concurrency=2)
        sink.timeout_ms = 60_000

        class OneByOne(Store):
            """The second claim is answered only when the worker is stopping."""

            claims, asked, answered = 0, asyncio.Event(), asyncio.Event()

            async def claim_deliveries(self, request):
                claim = await super().claim_deliveries(msgspec.structs.replace(request, max=1))
                self.claims += 1
                if self.claims == 2:
                    self.asked.set()
                    await self.answered.wait()
                return claim

        async def stop_between() -> None:
            slow = OneByOne(store.client, namespace)
            async with open_tools(store, namespace) as tools:
                drainer = make_drainer(sink, slow, tools)
                drainer.start()
                await slow.asked.wait()
                await sink.hung.wait()
                asyncio.get_running_loop().call_soon(slow.answered.set)
                await drainer.finish(time.monotonic() + 0.2)

        run(stop_between())
        assert [one.state for one in run(reader.deliveries(ids))] == ["held", "held"]


class Busy(ScriptedSink):
    """One attempt hangs; the others end one by one, each while the store is asked, and come again."""

    ENOUGH = 100  # calls of the store after which what is overdue should have been cancelled long ago

    def __init__(self, hanging: str) -> None:
        super().__init__(timeout="50ms", on_unknown="retry", concurrency=3, retry=["0ms"], attempts=1_000_000)
        self._hanging, self._overdue, self._begun = hanging, float("inf"), False
        self._ends: list[asyncio.Future[None]] = []
        self.cut, self.calls_overdue = False, 0

    @property
    def _over(self) -> bool:
        return self.cut or self.calls_overdue >= self.ENOUGH

    async def another_ended(self) -> None:
        self.calls_overdue += time.monotonic() > self._overdue and not self.cut
        if self._ends:
            self._ends.pop(0).set_result(None)
        for _ in range(10):
            await asyncio.sleep(0)  # until the drainer has it

    async def send(self, delivery, tools):
        loop = asyncio.get_running_loop()
        if delivery.id == self._hanging and not self.cut:
            self._overdue = time.monotonic() + self.lease_ms / 1000 + 1  # its whole lease
            try:
                await loop.create_future()
            finally:
                self.cut = True
        if self._begun and not self._over:
            self._ends.append(loop.create_future())
            await self._ends[-1]
        self._begun = True
        return Result(outcome=DELIVERED if self._over else RETRY, reason="scripted")


def test_a_sink_that_repeats_what_they_quote_of_its_secrets_shows_none(run, store, reader, waiting, drained):
    """A sink of a package need not mask anything itself."""
    said = "saw s3c-r3t-t0ken by relay:p4ssw0rd"
    proxy = "http://relay:p4ssw0rd@127.0.0.1:1"
    sink = ScriptedSink(
        sends=[Result(outcome=DELIVERED, reason=said, response=said)], secret="s3c-r3t-t0ken", proxy=proxy
    )
    drained(sink)
    (attempt,) = [found for found in run(reader.story("d00000")) if getattr(found, "response", "")]
    assert (attempt.reason, attempt.response) == ("saw *** by relay:***", "saw *** by relay:***")


def test_what_the_relay_says_itself_keeps_its_words(run, store, reader, waiting, drained):
    said = "401: the credentials are wrong: check the sink's auth"
    drained(ScriptedSink(sends=[Result(outcome=DELIVERED, reason=said, response="no")], secret="wrong"))
    (attempt,) = [found for found in run(reader.story("d00000")) if getattr(found, "response", "")]
    assert attempt.reason == said
