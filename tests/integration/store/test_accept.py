"""Accept stores hooks, each whole or as a duplicate of one that is stored."""

import pytest

from relay.errors import StoreRefused, StoreUnavailable
from relay.model import Outcome, ReceiptState
from relay.store.connect import connect
from relay.store.health import read_memory_use
from relay.store.keys import INBOX
from relay.store.reader import Reader
from relay.store.records import LateAnswer
from relay.store.requests import sink_claim_request
from relay.store.scripts import Caller, Script
from relay.store.store import Store
from tests.integration.invariants import broken_invariants
from tests.integration.store.shapes import hook, new, routed, settlement


@pytest.fixture
def accept(run, store):
    """Accept hooks. Returns the answers."""
    return lambda *hooks, late=(): run(store.accept(hooks, [LateAnswer(id=id) for id in late])).answers


def test_a_hook_is_stored_as_it_came(run, store, reader, look_at_receipt):
    body = bytes(range(256))
    accepted = run(store.accept([hook("r1", body, request_id="q1", content_type="text/plain", user_agent="curl")]))
    assert accepted.answers == [("r1", False)]
    raw = run(reader.raw_receipt("r1"))
    assert (raw.body, raw.source, raw.request_id, raw.content_type, raw.user_agent) == (
        body, "acme", "q1", "text/plain", "curl",
    )  # fmt: skip
    kept = look_at_receipt("r1")
    assert (kept.state, kept.size, kept.duplicates, kept.received_at) == (
        ReceiptState.ACCEPTED, 256, 0, raw.received_at,
    )  # fmt: skip
    assert run(reader.inbox()) == (1, 0)


@pytest.mark.parametrize("content_encoding", ["", "gzip"])
def test_its_content_encoding_is_kept_beside_it(run, store, reader, look_at_receipt, content_encoding):
    run(store.accept([hook("r1", b"1", content_encoding=content_encoding)]))
    assert run(reader.raw_receipt("r1")).content_encoding == content_encoding
    assert look_at_receipt("r1").content_encoding == content_encoding
    (claimed,) = run(store.claim_receipts("router", 9, 60_000)).items
    assert claimed.content_encoding == content_encoding


def test_the_first_hook_rings_and_those_that_follow_find_the_inbox_at_work(run, store):
    assert run(store.accept([hook("r1", b"1"), hook("r2", b"2")])).bell_set
    assert not run(store.accept([hook("r3", b"3")])).bell_set
    run(store.clear_bell(INBOX))
    assert not run(store.accept([hook("r4", b"4")])).bell_set  # who heard the bell finds this one too


def test_a_hook_rings_again_once_all_before_it_was_taken(run, store):
    run(store.accept([hook("r1", b"1"), hook("r2", b"2")]))
    run(store.clear_bell(INBOX))
    run(store.claim_receipts("router", 1, 60_000))
    assert not run(store.accept([hook("r3", b"3")])).bell_set  # one is left: who took the other comes again
    run(store.claim_receipts("router", 9, 60_000))
    assert run(store.accept([hook("r4", b"4")])).bell_set


def test_a_bell_that_is_still_on_its_way_is_not_set_twice(run, store):
    assert run(store.accept([hook("r1", b"1")])).bell_set
    run(store.claim_receipts("router", 9, 60_000))  # by one who was not rung for
    assert not run(store.accept([hook("r2", b"2")])).bell_set


def test_a_duplicate_alone_rings_nothing(run, store):
    run(store.accept([hook("r1", timed=True)]))
    run(store.clear_bell(INBOX))
    run(store.claim_receipts("router", 9, 60_000))
    assert not run(store.accept([hook("r2", timed=True)])).bell_set


def test_answers_come_in_the_order_of_the_hooks_and_so_do_receipts(run, store, accept):
    ids = [f"r{n}" for n in range(9)]
    assert accept(*(hook(id, id.encode()) for id in ids)) == [(id, False) for id in ids]
    assert [receipt.id for receipt in run(store.claim_receipts("t", 9, 60_000)).items] == ids


@pytest.mark.parametrize(("timed", "remembered"), [(True, b"r1 \n"), (False, b"r1 q1\n")])
def test_the_request_id_is_remembered_only_where_it_tells_anything(run, store, timed, remembered):
    one = hook("r1", timed=timed, request_id="q1")
    run(store.accept([one]))
    assert run(store.client.get(store.keys.duplicates(one.source, one.digest))) == remembered


def test_a_repeated_call_stores_nothing_twice(accept, run, reader, look_at_receipt):
    """The answer to the first call was lost."""
    hooks = [hook("r1", timed=True), hook("r2", b"2")]
    assert accept(*hooks) == accept(*hooks) == [("r1", False), ("r2", False)]
    assert run(reader.inbox()) == (2, 0)
    assert look_at_receipt("r1").duplicates == 0
    counters = run(reader.counters())
    assert (counters["receipt", "acme", "accepted"], counters["bytes", "acme"]) == (2, len(hook("r1").body) + 1)


def test_a_repeated_call_stores_nothing_twice_however_many_like_it_came_since(accept, run, reader):
    """Few receipts with one body are remembered; ids are known for as long as their receipts are kept."""
    hooks = [hook(f"r{n:02}") for n in range(20)]
    assert accept(*hooks) == accept(*hooks) == [(h.id, False) for h in hooks]
    assert run(reader.counters())["receipt", "acme", "accepted"] == 20


def test_a_repeated_call_says_the_same_though_one_like_it_was_answered_late_since(accept):
    accept(hook("r1"))
    accept(hook("r2"))
    accept(late=["r2"])
    assert accept(hook("r1")) == [("r1", False)]


@pytest.mark.parametrize(
    ("first", "second", "late", "duplicate"),
    [
        pytest.param({"timed": True}, {"timed": True}, False, True, id="the body carries a change time"),
        pytest.param({"request_id": "q1"}, {"request_id": "q1"}, False, True, id="the same request id"),
        pytest.param({"request_id": "a b"}, {"request_id": "a b"}, False, True, id="a request id of two words"),
        pytest.param({}, {}, True, True, id="the earlier answer left too late"),
        pytest.param({"request_id": "q1"}, {"request_id": "q2"}, True, True, id="late, whatever the request ids"),
        pytest.param({}, {}, False, False, id="neither time nor request id"),
        pytest.param({"request_id": "q1"}, {"request_id": "q2"}, False, False, id="two request ids"),
        pytest.param({"request_id": "q1"}, {}, False, False, id="only the earlier has a request id"),
        pytest.param({}, {"request_id": "q1"}, False, False, id="only the later has a request id"),
        pytest.param({"timed": True}, {"timed": True, "source": "emca"}, False, False, id="another source"),
        pytest.param({"timed": True}, {"timed": True, "body": b"x=2"}, False, False, id="another body"),
        pytest.param({"request_id": "q"}, {"request_id": "q", "body": b"x=2"}, True, False, id="another body, late"),
    ],
)
def test_what_counts_as_a_duplicate(accept, run, reader, first, second, late, duplicate):
    accept(hook("r1", **first))
    accept(late=["r1"] if late else [])
    assert accept(hook("r2", **second)) == [("r1", True) if duplicate else ("r2", False)]
    assert run(reader.inbox()) == (1 if duplicate else 2, 0)


def test_duplicates_are_counted_with_the_first(accept, run, reader, look_at_receipt):
    for n in range(3):
        accept(hook(f"r{n}", timed=True))
    kept = look_at_receipt("r0")
    assert kept.duplicates == 2
    assert kept.last_duplicate_at >= kept.received_at
    assert run(reader.counters())["receipt", "acme", "duplicate"] == 2


def test_two_alike_in_one_group_are_one_receipt_and_its_duplicate(accept, run, reader):
    assert accept(hook("r1", timed=True), hook("r2", timed=True)) == [("r1", False), ("r1", True)]
    assert run(reader.inbox()) == (1, 0)


def test_several_without_a_time_are_all_remembered_by_their_request_ids(accept):
    """Three clients of one account delete the same lead again and again: each repetition finds its own first."""
    accept(*(hook(f"r{n}", request_id=f"q{n}") for n in range(3)))
    assert accept(*(hook(f"s{n}", request_id=f"q{n}") for n in range(3))) == [(f"r{n}", True) for n in range(3)]


def test_a_mark_is_forgotten_after_its_time(accept, until, monkeypatch):
    monkeypatch.setattr("relay.store.store.DUPLICATE_MS", 30)
    assert accept(hook("r0", timed=True)) == [("r0", False)]
    numbers = iter(range(1, 10_000))
    assert until(lambda: accept(hook(f"r{next(numbers)}", timed=True))[0][1] is False)


def test_a_mark_ages_though_others_like_it_renew_it(accept, until, run, reader, look_at_receipt, monkeypatch):
    """Two hours count from the receipt that was answered late, not from the last one that looks like it."""
    accept(hook("r1"))
    accept(hook("r2"), late=["r1"])
    until(lambda: run(reader.now()) > look_at_receipt("r1").received_at + 1)
    monkeypatch.setattr("relay.store.store.DUPLICATE_MS", 1)
    assert accept(hook("r3")) == [("r3", False)]


@pytest.fixture
def retire(run, store):
    """Route all that waits, to nowhere, and have retention remove it."""

    def go() -> None:
        for receipt in run(store.claim_receipts("t", 9, 60_000)).items:
            run(store.save_routed("t", [routed(receipt)]))
        run(store.retention.apply(0, 0, 0))

    return go


@pytest.mark.parametrize(
    ("first", "second", "late"),
    [({"timed": True}, {"timed": True}, []), ({"request_id": "q"}, {"request_id": "q"}, []), ({}, {}, ["r1"])],
)
@pytest.mark.parametrize("late_after_retention", [False, True])
def test_a_repetition_is_known_though_retention_removed_its_first(
    accept, reader, run, retire, first, second, late, late_after_retention
):
    """At a high rate `retention.count` removes what amoCRM repeats an hour later."""
    accept(hook("r1", **first))
    if not late_after_retention:
        accept(late=late)
    retire()
    assert run(reader.receipts(["r1"])) == []
    accept(late=late if late_after_retention else [])
    assert accept(hook("r2", **second)) == [("r1", True)]
    assert accept(hook("r3")) == [("r3", False)]
    assert run(reader.counters())["receipt", "acme", "duplicate"] == 1


def test_what_retention_leaves_of_a_receipt_is_gone_when_amocrm_repeats_no_more(accept, run, store, retire):
    accept(hook("r1", timed=True))
    retire()
    assert 0 < run(store.client.pttl(store.keys.retired("r1"))) <= 2 * 3_600_000


class TestLate:
    """A late answer accounts for one repetition."""

    def test_two_later_facts_with_the_same_bytes_are_not_swallowed(self, accept, run, reader):
        accept(hook("r1"))
        accept(late=["r1"])
        assert accept(hook("r2")) == [("r1", True)]  # amoCRM's own repetition
        assert accept(hook("r3")) == [("r3", False)]
        assert accept(hook("r4"), hook("r5")) == [("r4", False), ("r5", False)]
        assert run(reader.inbox()) == (4, 0)

    def test_a_call_that_is_repeated_says_the_same(self, accept):
        accept(hook("r1"))
        accept(late=["r1"])
        assert accept(hook("r2")) == accept(hook("r2")) == [("r1", True)]
        assert accept(hook("r3")) == [("r3", False)]

    def test_each_of_two_that_were_late_is_repeated(self, accept):
        accept(hook("r1"), hook("r2"))
        accept(late=["r1", "r2"])
        assert accept(hook("r3"), hook("r4"), hook("r5")) == [("r1", True), ("r2", True), ("r5", False)]

    def test_a_hook_whose_answer_was_lost_is_late(self, run, store, accept):
        sent = hook("r1")
        accept(sent)
        late = LateAnswer(id="r1", source="acme", digest=sent.digest)
        assert run(store.accept([hook("r2")], [late])).answers == [("r1", True)]

    def test_a_repetition_whose_answer_was_lost_comes_once_more(self, run, store, accept):
        """The mark is used up by it, and nobody heard that it was a duplicate."""
        accept(hook("r1"))
        accept(late=["r1"])
        sent = hook("r2")
        accept(sent)
        late = LateAnswer(id="r2", source="acme", digest=sent.digest)
        assert run(store.accept([hook("r3")], [late])).answers == [("r1", True)]
        assert accept(hook("r4")) == [("r4", False)]

    def test_what_is_not_known_is_said(self, run, store):
        late = [LateAnswer(id="r1", source="acme", digest="x"), LateAnswer(id="r2")]
        assert run(store.accept([hook("r3")], late)).missing == ["r1", "r2"]


class TestOvertaken:
    """A call whose answer was lost may be carried out after amoCRM's repetition has been stored."""

    def test_it_makes_no_twin(self, run, store, accept, reader):
        lost = hook("r1")
        late = LateAnswer(id="r1", source="acme", digest=lost.digest)
        assert run(store.accept([hook("r2")], [late])).answers == [("r2", False)]
        assert accept(lost) == [("r2", True)]
        assert run(reader.inbox()) == (1, 0)
        assert accept(hook("r3")) == [("r3", False)]  # another fact

    def test_nor_where_another_process_took_the_repetition(self, run, store, accept, reader):
        lost = hook("r1")
        assert accept(hook("r2")) == [("r2", False)]
        late = LateAnswer(id="r1", source="acme", digest=lost.digest)
        run(store.accept([hook("r3", body=b"another")], [late]))
        assert accept(lost) == [("r2", True)]

    def test_nor_where_the_repetition_was_one_of_an_earlier_receipt(self, run, store, accept, reader):
        accept(hook("r1"))
        accept(late=["r1"])
        lost = hook("r2")  # amoCRM's repetition, of which the answer is lost too
        late = LateAnswer(id="r2", source="acme", digest=lost.digest)
        assert run(store.accept([hook("r3")], [late])).answers == [("r1", True)]
        assert accept(lost) == [("r1", True)]
        assert run(reader.inbox()) == (1, 0)

    def test_a_fact_that_was_there_before_is_no_repetition_of_it(self, run, store, accept, reader):
        accept(hook("r1"))
        lost = hook("r2")
        late = LateAnswer(id="r2", source="acme", digest=lost.digest)
        run(store.accept([hook("r3", body=b"another")], [late]))
        assert accept(lost) == [("r2", False)]

    def test_that_is_forgotten_in_time(self, run, store, accept):
        late = LateAnswer(id="r1", source="acme", digest=hook("r1").digest)
        run(store.accept([hook("r2")], [late]))
        assert 0 < run(store.client.pttl(store.keys.overtaken("r1"))) <= 600_000


def test_a_late_answer_of_a_receipt_that_is_gone_leaves_nothing_behind(accept, run, reader):
    assert accept(late=["gone"]) == []
    assert run(reader.receipts(["gone"])) == []


def test_a_call_of_the_wrong_shape_is_refused_before_its_first_write(run, store, reader):
    call = Caller(store.client, store.keys.prefix)
    hooks = [(id, "acme", "1", False, "", "", "", False) for id in ("r1", "r2")]
    with pytest.raises(StoreRefused, match="as many bodies as hooks"):
        run(call(Script("accept"), {"duplicate_ms": 1000, "answered_late": [], "hooks": hooks}, b"one"))
    assert run(store.client.keys(store.keys.prefix + "*")) == []


def test_a_call_that_fails_in_the_middle_leaves_nothing_that_its_repetition_is_a_duplicate_of(run, store, accept):
    run(store.client.set(store.keys.receipts, "no sorted set"))
    with pytest.raises(StoreRefused):
        accept(hook("r1", timed=True))
    run(store.client.delete(store.keys.receipts))
    assert accept(hook("r2", timed=True)) == [("r2", False)]
    run(store.client.delete(store.keys.receipt("r1"), store.keys.body("r1")))


class TestFull:
    """A store that is full refuses hooks whole, and lets what is inside be finished."""

    @pytest.fixture
    def full(self, start_server, run):
        """A store that takes no more hooks: what arrived is in the inbox, except one delivery that is claimed."""
        store = Store(connect(start_server("--maxmemory", "6mb").url, answer_seconds=10))
        run(store.accept([hook("r0", b"first")]))
        (receipt,) = run(store.claim_receipts("router", 1, 60_000)).items
        run(store.save_routed("router", [routed(receipt, new("d0", "r0"))]))
        try:
            yield store
        finally:
            run(store.client.aclose())

    def fill(self, run, store):
        """Return how many hooks were stored, and the error of the first that was not."""
        for n in range(1, 1000):
            try:
                run(store.accept([hook(f"r{n:03}", n.to_bytes(2, "big") * 16_384)]))
            except StoreUnavailable as error:
                return n - 1, str(error)
        raise AssertionError("it never filled")

    def test_hooks_are_refused_and_the_rest_goes_on(self, full, run):
        reader = Reader(full.client)
        stored, refusal = self.fill(run, full)
        assert "memory" in refusal
        assert stored > 10
        assert run(read_memory_use(full.client)).full
        assert run(reader.inbox()) == (stored, 0)
        (delivery,) = run(full.claim_deliveries(sink_claim_request("books", "w", 1, 60_000, 1, []))).items
        assert run(full.mark_sending([delivery])) == [True]
        assert run(full.settle("books", [settlement(delivery, Outcome.DELIVERED)], {})) == ["settled"]
        (receipt,) = run(full.claim_receipts("router", 1, 60_000)).items
        assert run(full.save_routed("router", [routed(receipt, new("d1", receipt.id))]))[1] == []
        assert run(full.retention.apply(0, 0, 0)).removed == 1
        assert run(broken_invariants(full)) == []


def test_when_a_source_last_sent_is_the_time_of_its_hook(run, store, reader):
    assert run(reader.last_hook("acme")) is None
    run(store.accept([hook("r1", b"1"), hook("r2", b"2", source="other")]))
    (first,) = run(reader.receipts(["r1"]))
    assert run(reader.last_hook("acme")) == first.received_at
    run(store.accept([hook("r3", b"3", recovered=True)]))
    assert run(reader.last_hook("acme")) == first.received_at  # the account's history is no hook
    run(store.accept([hook("r4", b"1", timed=True)]))
    (first,) = run(reader.receipts(["r1"]))
    assert run(reader.last_hook("acme")) == first.last_duplicate_at
