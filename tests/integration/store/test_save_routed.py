"""What became of receipts is saved: their events and deliveries, all of them, once."""

import pytest
from msgspec.structs import replace

from relay.model import DeliveryState, Limit, Outcome, ReceiptState
from relay.store.body import pack
from relay.store.fields import ReceiptField
from relay.store.keys import INBOX, sink_queue
from relay.store.records import Claim
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import end_leases, event, give_back, hook, ids_in_queue, new, routed


@pytest.fixture
def route(run, store):
    """Save under the token "router". Returns the queues that have work now, and the stale receipts."""
    return lambda *parts, token="router": run(store.save_routed(token, parts))


@pytest.fixture
def open_of(run, store):
    """Read how much of a receipt is unfinished."""
    return lambda receipt: int(run(store.client.hget(store.keys.receipt(receipt), "open")))


class TestOneCall:
    """A receipt that is routed in one call."""

    def test_it_leaves_the_inbox_and_its_deliveries_are_due(self, run, reader, given, route, look, look_at_receipt):
        (receipt,) = given.taken()
        queues, stale = route(routed(receipt, new("d1", receipt.id), new("d2", receipt.id, sink="ledger")))
        assert (sorted(queues), stale) == (["sink:books", "sink:ledger"], [])
        assert run(reader.inbox()) == (0, 0)
        kept = look_at_receipt(receipt.id)
        assert (kept.state, kept.config, kept.deliveries) == (ReceiptState.ROUTED, "v1", {"d1": 0, "d2": 0})
        found = look("d2")
        assert (found.state, found.sink, found.event_id, found.config, found.attempts, found.once) == (
            DeliveryState.PENDING, "ledger", f"{receipt.id}.0", "v1", 0, False,
        )  # fmt: skip
        assert found.accepted_at == receipt.received_at
        assert found.due_at == found.created_at

    def test_nothing_of_its_lease_stays_with_it(self, run, store, given, route):
        (receipt,) = given.taken()
        route(routed(receipt, new("d1", receipt.id), last=False))
        assert run(store.client.hget(store.keys.receipt(receipt.id), ReceiptField.TOKEN)) == b"router"
        route(routed(receipt, new("d1", receipt.id)))
        assert run(store.client.hget(store.keys.receipt(receipt.id), ReceiptField.TOKEN)) == b""

    def test_it_takes_no_more_memory_where_its_token_was_long(self, run, store, given, route):
        given.accepted(2)
        sizes = []
        for token in ("w", "w" * 100):
            (receipt,) = run(store.claim_receipts(token, 1, 60_000)).items
            deliveries = [new(f"{receipt.id}-{n:030}", receipt.id) for n in range(10)]
            route(routed(receipt, *deliveries), token=token)
            sizes.append(run(store.client.memory_usage(store.keys.receipt(receipt.id), samples=0)))
        assert sizes[0] == sizes[1]

    def test_two_parts_of_one_receipt_count_together(self, given, route, open_of):
        (receipt,) = given.taken()
        route(
            routed(receipt, new("d1", receipt.id), new("d2", receipt.id), new("d3", receipt.id), last=False),
            routed(receipt, new("d4", receipt.id), events=[]),
        )
        assert open_of(receipt.id) == 4

    def test_what_one_part_made_a_later_one_of_the_same_call_finds(self, given, route, look_at_receipt, open_of):
        (receipt,) = given.taken()
        route(
            routed(receipt, new("o1", receipt.id, 0, once=True), events=[event(0), event(1)], last=False),
            routed(receipt, new("o1", receipt.id, 1, once=True), events=[]),
        )
        assert look_at_receipt(receipt.id).deliveries == {"o1": 0}
        assert open_of(receipt.id) == 1

    def test_a_queue_is_told_once_a_call_however_many_were_made_for_it(self, given, route):
        first, second = given.taken(2)
        parts = [routed(first, new("d1", first.id), new("d2", first.id)), routed(second, new("d3", second.id))]
        assert route(*parts) == (["sink:books"], [])

    def test_no_bell_is_set_and_who_routes_is_told_each_time(self, run, store, given, route):
        """The caller begins with them itself; the ticker finds what it does not begin with."""
        first, second = given.taken(2)
        for receipt in (first, second):
            assert route(routed(receipt, new(f"of {receipt.id}", receipt.id)))[0] == ["sink:books"]
            assert run(store.client.exists(store.keys.bell("sink:books"))) == 0
        assert run(store.look("w1")).queues == ["sink:books"]

    def test_events_are_kept_in_order_and_found_by_their_entity(self, run, reader, given, route, look_at_receipt):
        (receipt,) = given.taken()
        events = [event(n, entity_id=id) for n, id in enumerate(["7", "8", "7", ""])]
        route(routed(receipt, events=events[::-1]))
        assert list(look_at_receipt(receipt.id).events) == events
        assert run(reader.events_of("acme", "lead", "7")) == [f"{receipt.id}.0", f"{receipt.id}.2"]
        assert run(reader.events_of("acme", "lead", "")) == []
        assert run(reader.counters())["event", "acme", "add_lead"] == 4

    @pytest.mark.parametrize(
        "state", [ReceiptState.UNROUTED, ReceiptState.REFUSED, ReceiptState.MALFORMED, ReceiptState.QUARANTINED]
    )
    def test_of_whatever_comes_nothing_it_is_kept_with_the_reason(
        self, run, reader, given, route, look_at_receipt, open_of, state
    ):
        (receipt,) = given.taken()
        route(routed(receipt, events=[], state=state, reason="потому"))
        kept = look_at_receipt(receipt.id)
        assert (kept.state, kept.reason, kept.deliveries) == (state, "потому", {})
        assert open_of(receipt.id) == 0
        assert run(reader.counters())["receipt", "acme", str(state)] == 1

    @pytest.mark.parametrize("remarks", [[], ["поле 2: не прочитано", "'tags': \"x\""]])
    def test_its_remarks_are_kept_in_order(self, given, route, look_at_receipt, remarks):
        (receipt,) = given.taken()
        route(routed(receipt, remarks=remarks))
        assert list(look_at_receipt(receipt.id).remarks) == remarks

    def test_quarantined_is_kept_as_long_as_a_dead_letter(self, run, store, given, route):
        (receipt,) = given.taken()
        route(routed(receipt, state=ReceiptState.QUARANTINED, reason="it cannot be routed"))
        assert run(store.retention.apply(0, 60_000, 100)).removed == 0
        assert run(store.retention.apply(0, 0, 100)).removed == 1

    @pytest.mark.parametrize("size", [3, 40_000])
    def test_the_body_reads_the_same_before_and_after(self, run, store, reader, given, route, size):
        run(store.accept([hook("r1", b"leads%5B" * (size // 8 + 1))]))
        (receipt,) = run(store.claim_receipts("router", 1, 60_000)).items
        before = run(reader.raw_receipt("r1"))
        route(routed(receipt, packed=pack(receipt.body)))
        assert run(reader.raw_receipt("r1")) == before
        kept = run(store.client.strlen(store.keys.body("r1")))
        assert kept < len(receipt.body) / 10 if size > 1000 else kept == len(receipt.body)

    @pytest.mark.parametrize("state", [DeliveryState.SKIPPED, DeliveryState.DEAD, DeliveryState.SHADOWED])
    def test_a_delivery_may_be_finished_as_it_is_made(self, run, store, reader, given, route, look, open_of, state):
        (receipt,) = given.taken()
        queues, _ = route(routed(receipt, new("d1", receipt.id, state=state, reason="no phone", content=b"")))
        assert queues == []
        found = look("d1")
        assert (found.state, found.reason, found.due_at, found.in_flight) == (state, "no phone", None, False)
        assert found.finished_at >= found.created_at
        assert open_of(receipt.id) == 0
        assert run(reader.counters())["delivery", "books", str(state)] == 1
        assert run(ids_in_queue(reader, "books")) == (["d1"] if state is DeliveryState.DEAD else [])

    def test_sinks_of_one_route_and_event_share_their_content(self, run, store, reader, given, route, look):
        (receipt,) = given.taken()
        route(routed(receipt, *(new(f"d{n}", receipt.id, sink=f"s{n}") for n in range(3)),
                     new("d3", receipt.id, content=b"other")))  # fmt: skip
        assert len({look(f"d{n}").content_id for n in range(3)}) == 1
        assert len(run(store.client.keys(store.keys.content("*")))) == 2
        assert run(reader.content(look("d2"))) == b'{"amount": 1}'
        assert run(reader.content(look("d3"))) == b"other"

    def test_many_receipts_go_in_one_call(self, run, reader, given, route):
        receipts = given.taken(20)
        route(*(routed(r, new(f"d{n:02}", r.id)) for n, r in enumerate(receipts)))
        assert run(ids_in_queue(reader, "books")) == [f"d{n:02}" for n in range(20)]


class TestParts:
    """A receipt with much in it is routed in several calls, and leaves the inbox with the last."""

    def test_it_stays_in_the_inbox_until_the_last_part(self, run, reader, given, route, look_at_receipt, open_of):
        (receipt,) = given.taken()
        route(routed(receipt, new("d1", receipt.id), last=False))
        assert run(reader.inbox()) == (0, 1)
        assert look_at_receipt(receipt.id).state is ReceiptState.ACCEPTED
        assert open_of(receipt.id) == 2
        route(routed(receipt, new("d2", receipt.id, 1), events=[event(1)]))
        assert run(reader.inbox()) == (0, 0)
        assert open_of(receipt.id) == 2
        kept = look_at_receipt(receipt.id)
        assert kept.deliveries == {"d1": 0, "d2": 1}
        assert [e.index for e in kept.events] == [0, 1]

    def test_what_is_made_is_worked_off_before_the_last_part(self, given, route, open_of, run, store):
        (receipt,) = given.taken()
        route(routed(receipt, new("d1", receipt.id), last=False))
        given.settled(given.claim().items[0], Outcome.DELIVERED)
        assert open_of(receipt.id) == 1
        assert run(store.retention.apply(0, 0, 0)).removed == 0
        route(routed(receipt))
        assert open_of(receipt.id) == 0

    def test_a_repeated_part_changes_nothing(self, run, store, reader, given, route, open_of):
        (receipt,) = given.taken()
        part = routed(receipt, new("d1", receipt.id), new("d2", receipt.id, state=DeliveryState.SKIPPED), last=False)
        route(part)
        before, counters = run(reader.deliveries(["d1", "d2"])), run(reader.counters())
        assert route(part) == ([], [])
        assert run(reader.deliveries(["d1", "d2"])) == before
        assert run(reader.counters()) == counters
        assert open_of(receipt.id) == 2

    def test_a_part_repeated_by_another_router_does_not_undo_what_was_delivered(
        self, run, store, given, route, look, open_of
    ):
        """The first router died after its first part; that part's deliveries went on."""
        (receipt,) = given.taken()
        deliveries = [
            new("d1", receipt.id), new("d2", receipt.id), new("o1", receipt.id, once=True),
            new("o2", receipt.id, once=True, state=DeliveryState.SKIPPED),
        ]  # fmt: skip
        route(routed(receipt, *deliveries, last=False))
        flying = {d.id: d for d in given.claim().items}
        given.settled(flying["d1"], Outcome.DELIVERED)
        given.settled(flying["o1"], Outcome.SKIPPED)
        run(give_back(store, INBOX, "r", [receipt.id]))
        run(store.claim_receipts("second", 1, 60_000))
        assert route(routed(receipt, *deliveries), token="second") == ([], [])
        assert [look(d.id).state for d in deliveries] == ["delivered", "pending", "skipped", "skipped"]
        assert look("d2").in_flight
        assert open_of(receipt.id) == 1

    def test_a_repeated_last_part_is_stale_and_changes_nothing(self, run, reader, given, route, open_of):
        """The answer was lost: nothing is left to do."""
        (receipt,) = given.taken()
        part = routed(receipt, new("d1", receipt.id))
        route(part)
        counters = run(reader.counters())
        assert route(part) == ([], [receipt.id])
        assert run(reader.counters()) == counters
        assert open_of(receipt.id) == 1


class TestStale:
    """Under a token that is not the newest, nothing is written."""

    def test_a_newer_lease_writes_instead(self, run, store, reader, given, route, until, look_at_receipt):
        given.accepted()
        (receipt,) = run(store.claim_receipts("old", 1, 1)).items
        until(lambda: run(store.claim_receipts("router", 1, 60_000)).items)
        assert route(routed(receipt, new("d1", receipt.id)), token="old") == ([], [receipt.id])
        assert run(reader.deliveries(["d1"])) == []
        assert look_at_receipt(receipt.id).events == []
        assert run(reader.inbox()) == (0, 1)
        assert route(routed(receipt, new("d1", receipt.id)))[1] == []

    def test_a_lease_that_was_given_back_writes_nothing(self, run, store, reader, given, route):
        (receipt,) = given.taken()
        run(give_back(store, INBOX, "r", [receipt.id]))
        assert route(routed(receipt, new("d1", receipt.id))) == ([], [receipt.id])
        assert run(reader.inbox()) == (1, 0)

    def test_a_receipt_that_is_gone_writes_nothing(self, run, store, reader, given, route):
        (receipt,) = given.taken()
        route(routed(receipt))
        run(store.retention.apply(0, 0, 0))
        assert route(routed(receipt, new("d1", receipt.id))) == ([], [receipt.id])
        assert run(reader.receipts([receipt.id])) == []

    def test_the_others_of_the_call_are_written(self, run, store, given, route, look):
        first, second = given.taken(2)
        run(give_back(store, INBOX, "r", [first.id]))
        parts = [routed(first, new("d1", first.id)), routed(second, new("d2", second.id))]
        assert route(*parts) == (["sink:books"], [first.id])
        assert look("d2").state is DeliveryState.PENDING


class TestOnce:
    """With `once`, route and key are the identity of a delivery, whatever receipts it comes from."""

    def test_a_second_receipt_makes_no_second_delivery(self, given, route, look, look_at_receipt, open_of):
        first, second = given.taken(2)
        route(routed(first, new("o1", first.id, once=True, content=b"first")))
        assert route(routed(second, new("o1", second.id, once=True, content=b"second"))) == ([], [])
        assert look("o1").event_id == f"{first.id}.0"
        assert look("o1").once
        assert look_at_receipt(second.id).deliveries == {"o1": 0}  # it is shown what its event met
        assert (open_of(first.id), open_of(second.id)) == (1, 0)
        (delivery,) = given.claim().items
        assert delivery.content == b"first"
        given.settled(delivery, Outcome.DELIVERED)
        assert (open_of(first.id), open_of(second.id)) == (0, 0)

    def test_two_events_of_one_receipt_make_one_delivery(self, given, route, open_of):
        (receipt,) = given.taken()
        route(routed(receipt, new("o1", receipt.id, 0, once=True), new("o1", receipt.id, 1, once=True),
                     events=[event(0), event(1)]))  # fmt: skip
        assert len(given.claim().items) == 1
        assert open_of(receipt.id) == 1

    @pytest.mark.parametrize("parts", [1, 2])
    def test_of_two_events_of_one_receipt_the_later_takes_over_what_the_earlier_had_nobody_for(
        self, given, route, look, open_of, parts
    ):
        (receipt,) = given.taken()
        nobody = new("o1", receipt.id, 0, once=True, content=b"", state=DeliveryState.SKIPPED)
        somebody = new("o1", receipt.id, 1, once=True, content=b"second")
        if parts == 1:
            route(routed(receipt, nobody, somebody, events=[event(0), event(1)]))
        else:
            route(routed(receipt, nobody, events=[event(0), event(1)], last=False))
            route(routed(receipt, somebody, events=[]))
        assert (look("o1").state, look("o1").event_id) == (DeliveryState.PENDING, f"{receipt.id}.1")
        assert open_of(receipt.id) == 1
        (delivery,) = given.claim().items
        assert delivery.content == b"second"
        given.settled(delivery, Outcome.DELIVERED)
        assert open_of(receipt.id) == 0

    @pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.REJECTED])
    def test_it_is_once_for_good_also_after_its_receipt_is_gone(self, run, store, reader, given, route, outcome):
        first = given.taken()[0]
        route(routed(first, new("o1", first.id, once=True)))
        given.settled(given.claim().items[0], outcome)
        assert run(store.retention.apply(0, 0, 0)).removed == 1
        (second,) = given.taken()
        assert route(routed(second, new("o1", second.id, once=True))) == ([], [])
        assert run(reader.deliveries(["o1"])) == []
        assert given.claim().items == []

    def test_without_once_the_same_id_is_only_kept_while_its_receipt_is(self, run, store, given, route):
        first = given.taken()[0]
        route(routed(first, new("d1", first.id)))
        given.settled(given.claim().items[0], Outcome.DELIVERED)
        run(store.retention.apply(0, 0, 0))
        assert run(store.client.keys(store.keys.once("*"))) == []

    @pytest.mark.parametrize("settled", [True, False], ids=["by its sink", "as it was made"])
    def test_one_that_was_skipped_is_taken_over_by_a_later_event(
        self, run, reader, given, route, look, open_of, settled
    ):
        """The contact had no phone then, and has one now."""
        first, second = given.taken(2)
        if settled:
            route(routed(first, new("o1", first.id, once=True, content=b"nobody")))
            given.settled(given.claim().items[0], Outcome.SKIPPED)
        else:
            route(routed(first, new("o1", first.id, once=True, content=b"", state=DeliveryState.SKIPPED)))
        queues, _ = route(routed(second, new("o1", second.id, once=True, content=b"somebody")))
        assert queues == ["sink:books"]
        found = look("o1")
        assert (found.state, found.event_id, found.finished_at, found.reason) == (
            DeliveryState.PENDING, f"{second.id}.0", None, "",
        )  # fmt: skip
        assert (open_of(first.id), open_of(second.id)) == (0, 1)
        assert given.claim().items[0].content == b"somebody"

    @pytest.mark.parametrize("shared", [True, False], ids=["shared content", "content of its own"])
    def test_what_was_taken_over_leaves_nothing_behind_when_its_receipt_goes(self, run, store, given, route, shared):
        first, second = given.taken(2)
        route(routed(first, new("o1", first.id, once=True, content=b"nobody"),
                     new("d1", first.id, content=b"nobody" if shared else b"else", sink="ledger")))  # fmt: skip
        given.settled(given.claim().items[0], Outcome.SKIPPED)
        route(routed(second, new("o1", second.id, once=True, content=b"somebody")))
        (sibling,) = given.claim(sink="ledger").items
        assert sibling.content == (b"nobody" if shared else b"else")
        given.settled(sibling, Outcome.DELIVERED)
        assert run(store.retention.apply(0, 0, 0)).removed == 1
        assert len(run(store.client.keys(store.keys.content("*")))) == 1
        assert given.claim().items[0].content == b"somebody"

    def test_skipped_and_retired_it_may_come_again(self, run, store, given, route, look):
        (first,) = given.taken()
        route(routed(first, new("o1", first.id, once=True, state=DeliveryState.SKIPPED)))
        run(store.retention.apply(0, 0, 0))
        (second,) = given.taken()
        route(routed(second, new("o1", second.id, once=True)))
        assert look("o1").state is DeliveryState.PENDING


def test_open_reaches_nothing_exactly_when_all_is_closed(run, store, given, route, open_of):
    (receipt,) = given.taken()
    assert open_of(receipt.id) == 1
    route(routed(receipt, *(new(f"d{n}", receipt.id) for n in range(4)), last=False))
    assert open_of(receipt.id) == 5
    route(routed(receipt, new("d4", receipt.id, state=DeliveryState.SKIPPED), events=[]))
    assert open_of(receipt.id) == 4
    outcomes = [Outcome.DELIVERED, Outcome.RETRY, Outcome.UNKNOWN, Outcome.REJECTED]
    for delivery, outcome, left in zip(given.claim().items, outcomes, [3, 3, 3, 2], strict=True):
        given.settled(delivery, outcome, delay_ms=0)
        assert open_of(receipt.id) == left, outcome
        assert run(store.retention.apply(0, 0, 0)).removed == 0
    given.settled(given.claim().items[0], Outcome.DELIVERED)
    assert open_of(receipt.id) == 1  # one is held: a person must decide
    assert run(store.retention.apply(0, 0, 0)).removed == 0


class TestClaims:
    """What is made for a sink is claimed in the same call, where its drainer would get it at once."""

    @pytest.fixture
    def route_and_claim(self, run, store, given):
        """Save so many deliveries for the sink, and claim. Returns what was claimed, and the queues with other work."""

        def go(n=1, sink="books", **more):
            (receipt,) = given.taken()
            limits, fields = more.pop("limits", ()), {"unheard": more.pop("unheard", ())}
            wanted = {"token": "w:1", "max": 100, "lease_ms": 60_000, "concurrency": 8, **more}
            request = replace(sink_claim_request(sink, limits=limits, **wanted), **fields)
            part = routed(receipt, *[new(f"{receipt.id}-{number}", receipt.id, sink=sink) for number in range(n)])
            queues, stale, (claim,) = run(store.save_routed_and_claim("router", [part], [request]))
            assert stale == []
            return claim, queues

        return go

    def test_it_is_held_as_after_any_claim(self, run, store, given, route_and_claim, look):
        claim, queues = route_and_claim()
        (taken,) = claim.items
        stored = look(taken.id)
        assert queues == []
        assert (stored.state, stored.due_at, stored.created_at) == (DeliveryState.PENDING, None, taken.created_at)
        assert (taken.content, taken.accepted_at, taken.token) == (b'{"amount": 1}', stored.accepted_at, "w:1")
        assert given.claim("w2").items == []
        assert given.settled(taken, Outcome.DELIVERED) == "settled"
        assert look(taken.id).state is DeliveryState.DELIVERED
        assert run(store.client.zscore(store.keys.wake, sink_queue("books"))) is None

    def test_when_its_worker_dies_its_lease_runs_out(self, run, store, given, route_and_claim, look):
        claim, _ = route_and_claim(lease_ms=1)
        (found,) = claim.items
        assert run(store.client.zscore(store.keys.wake, sink_queue("books"))) <= found.created_at + 1
        while not (taken := given.claim("w2").items):
            pass
        assert [(one.id, one.deaths, one.token) for one in taken] == [(found.id, 1, "w2")]

    @pytest.mark.parametrize(
        ("slots", "claimed"),
        [({"concurrency": 2}, 2), ({"max": 1}, 1), ({"limits": [Limit(key="books", count=3, per_ms=60_000)]}, 3)],
    )
    def test_no_more_than_slots_and_rate_allow_and_the_rest_is_due(self, given, route_and_claim, slots, claimed):
        claim, queues = route_and_claim(4, **slots)
        assert (len(claim.items), queues) == (claimed, ["sink:books"])
        left = given.claim("w2", concurrency=99).items
        assert len(left) == 4 - claimed

    def test_slots_and_grants_are_counted_with_those_of_all_others(self, given, route_and_claim):
        limit = [Limit(key="books", count=3, per_ms=60_000)]
        given.pending(2)
        assert len(given.claim("w2", limits=limit).items) == 2
        claim, _ = route_and_claim(4, limits=limit)
        assert len(claim.items) == 1
        assert given.claim("w2", limits=limit).items == []

    def test_where_other_work_is_due_both_wait_for_a_claim(self, given, route_and_claim):
        given.pending()
        assert route_and_claim() == (given_nothing("w:1"), ["sink:books"])
        assert len(given.claim("w2").items) == 2

    @pytest.mark.parametrize("gate", [{"until": 1}, {"paused": 1}, {"ramp": 1}, {"route:other": 9e15}])
    def test_any_gate_is_left_to_a_claim_of_its_own(self, run, store, route_and_claim, gate):
        run(store.client.hset(store.keys.gate(sink_queue("books")), mapping=gate))
        assert route_and_claim()[0].items == []

    def test_a_lease_that_ran_out_is_left_to_a_claim_of_its_own(self, run, store, given, route_and_claim):
        given.leased()
        run(end_leases(store, sink_queue("books")))
        assert route_and_claim()[0].items == []

    def test_where_an_earlier_claim_was_not_heard_of_the_next_claim_gives_back_all(self, given, route_and_claim):
        lost, _ = route_and_claim(token="w:lost")
        assert route_and_claim(unheard=["w:lost"])[0].items == []
        request = replace(sink_claim_request("books", "w:2", 9, 60_000, 8, ()), unheard=["w:lost"])
        taken = given._run(given._store.claim_deliveries(request)).items
        assert lost.items[0].id in [one.id for one in taken]
        assert [one.deaths for one in taken] == [0, 0]

    def test_what_goes_in_one_call_is_claimed_as_one(self, route_and_claim):
        assert route_and_claim(3, batch=(50, 3))[0].items == []
        assert len(route_and_claim(2, sink="ledger", batch=(50, 3))[0].items) == 2

    def test_what_is_there_already_or_ends_at_once_is_not_claimed(self, run, store, given):
        first, second = given.taken(2)
        once = [new("o1", one.id, once=True) for one in (first, second)]
        request = sink_claim_request("books", "w:1", 9, 60_000, 8, ())
        skipped = new("s1", first.id, state=DeliveryState.SKIPPED)
        _, _, (claim,) = run(store.save_routed_and_claim("router", [routed(first, once[0], skipped)], [request]))
        assert [one.id for one in claim.items] == ["o1"]
        again = replace(request, token="w:2")
        _, _, (claim,) = run(store.save_routed_and_claim("router", [routed(second, once[1])], [again]))
        assert claim.items == []

    def test_of_two_of_one_once_key_the_first_is_sent_as_it_is_stored(self, run, store, given, look):
        (receipt,) = given.taken()
        both = [new("o1", receipt.id, n, once=True, content=b'{"amount": %d}' % n) for n in (1, 2)]
        skipped = new("o1", receipt.id, 0, once=True, state=DeliveryState.SKIPPED)
        request = sink_claim_request("books", "w:1", 9, 60_000, 8, ())
        _, _, (claim,) = run(store.save_routed_and_claim("router", [routed(receipt, skipped, *both)], [request]))
        (taken,) = claim.items
        assert (taken.event_id, taken.content) == (f"{receipt.id}.1", b'{"amount": 1}')
        assert look("o1").event_id == f"{receipt.id}.1"

    def test_under_a_stale_token_nothing_is_claimed(self, run, store, given):
        (receipt,) = given.taken()
        request = sink_claim_request("books", "w:1", 9, 60_000, 8, ())
        answer = run(store.save_routed_and_claim("another", [routed(receipt, new("d1", receipt.id))], [request]))
        assert answer == ([], [receipt.id], [given_nothing("w:1")])


def given_nothing(token: str) -> Claim:
    """Return what a claim is that took nothing."""
    return Claim(token=token, items=[], poisoned=[], wait_ms=-1)
