"""Finished receipts are packed: what is read of them, and done to them, is as it was."""

import pytest

from relay.model import DeliveryState, Outcome, ReceiptState
from relay.operations.search import EventFilter, find_deliveries, find_events
from relay.store.acts import Act, Author
from relay.store.fields import ReceiptField
from relay.store.newest import NewestIndex
from relay.store.packed import PACKED_AFTER_MS
from relay.store.packing import MOST_PARTS
from relay.store.people import PeopleIndex, PersonRow, Reach
from relay.store.records import LateAnswer
from tests.integration.store.shapes import event, hook, new, routed, settlement

ANNA = Author(by="anna")
PASSING = ("dup:", "outcomes:", "window:", "bell:")  # these run out by themselves


@pytest.fixture
def pack(run, store, reader):
    """Pack what is finished, as if that were long ago; return how many receipts are packed now."""

    async def work(most: int, after_ms: int) -> int:
        await store.packing.pack_next(await reader.now() + 1, most, after_ms)
        return await store.client.zcard(store.keys.finished_packed)

    return lambda most=100, after_ms=0: run(work(most, after_ms))


@pytest.fixture
def everything(run, store):
    """Return all that the store has, by the names of its keys, without what runs out, and how far the packing is."""

    async def read():
        found = {}
        for key in await store.client.keys(store.keys.prefix + "*"):
            name = key.decode().removeprefix(store.keys.prefix)
            if not name.startswith((*PASSING, "packing")):
                found[name] = await READ[await store.client.type(key)](store.client, key)
        return found

    return lambda: run(read())


READ = {
    b"string": lambda client, key: client.get(key),
    b"hash": lambda client, key: client.hgetall(key),
    b"zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"set": lambda client, key: client.smembers(key),
    b"stream": lambda client, key: client.xrange(key),
}


@pytest.fixture
def finished(run, store, given):
    """Make a receipt of three deliveries, each ended in another way; return its id."""

    def make(**more) -> str:
        (receipt,) = given.taken()
        id = receipt.id
        made = [
            new(f"{id}-a", id, **more),
            new(f"{id}-b", id, 1, sink="ledger", state=DeliveryState.SKIPPED, reason="no phone", content=b"b"),
            new(f"{id}-c", id, 1, route="other", sink="shop", content=b"c"),
        ]
        run(store.save_routed("router", [routed(receipt, *made, events=[event(0), event(1, "2"), event(2, "")])]))
        given.settled(given.claim().items[0], Outcome.RETRY, 1)
        given.settled(given.claim().items[0], Outcome.DELIVERED, 2)
        run(store.acts.act_on_delivery(f"{id}-c", Act.CANCEL, ANNA))
        return id

    return make


def read_all(run, reader, id):
    """Return all that people are shown of a receipt."""
    ids = [f"{id}-{letter}" for letter in "abc"]
    (receipt,), raw, deliveries = run(reader.receipts([id])), run(reader.raw_receipt(id)), run(reader.deliveries(ids))
    contents, empty = run(reader.contents(deliveries)), run(reader.without_content(deliveries))
    stories = [run(reader.story(one)) for one in ids]
    return receipt, raw, deliveries, contents, empty, stories, [run(reader.content(one)) for one in deliveries]


def test_what_is_read_of_it_is_as_it_was(run, reader, pack, finished):
    id = finished()
    before = read_all(run, reader, id)
    assert (len(before[2]), len(before[5][0])) == (3, 2)
    assert pack() == 1
    assert read_all(run, reader, id) == before


def test_it_takes_one_key_and_one_for_each_delivery(run, store, pack, everything, finished):
    id = finished()
    pack()
    left = {name for name in everything() if id in name}
    assert left == {f"p:{id}", *(f"in:{id}-{letter}" for letter in "abc")}


def test_unpacked_all_is_as_it_was(run, store, pack, everything, finished):
    id = finished(once=True)
    before = everything()
    pack()
    assert everything() != before
    run(store.packing.unpack_receipt(id))
    assert everything() == before
    run(store.packing.unpack_receipt(id))  # there is nothing to unpack any more
    assert everything() == before


@pytest.mark.parametrize(
    "filter",
    [
        EventFilter(),
        EventFilter(state=ReceiptState.ROUTED),
        EventFilter(event="add_lead"),
        EventFilter(event="note_lead"),
        EventFilter(sink="shop"),
        EventFilter(sink="shop", route="other"),
        EventFilter(sink="shop", route="invoices"),
        EventFilter(source="acme"),
        EventFilter(source="emca"),
        EventFilter(entity=("lead", "2")),
        EventFilter(recovered=True),
    ],
    ids=str,
)
def test_lists_of_events_are_as_they_were(run, reader, pack, finished, filter):
    finished()
    before = run(find_events(reader, filter)).items
    finished()
    pack(most=1)
    assert [one.id for one in run(find_events(reader, filter)).items if one.id.startswith("r0000")] == [
        one.id for one in before
    ]
    with_unpacked = run(find_events(reader, filter)).items
    pack()
    assert run(find_events(reader, filter)).items == with_unpacked


@pytest.mark.parametrize(
    "filter",
    [
        EventFilter(),
        EventFilter(sink="ledger"),
        EventFilter(state=DeliveryState.CANCELLED),
        EventFilter(route="other"),
        EventFilter(event="add_lead"),
        EventFilter(event="note_lead"),
        EventFilter(reason="phone"),
        EventFilter(source="emca"),
    ],
    ids=str,
)
def test_lists_of_deliveries_are_as_they_were(run, reader, pack, finished, filter):
    finished()
    finished()
    before = run(find_deliveries(reader, filter)).items
    assert pack(most=1) == 1
    assert run(find_deliveries(reader, filter)).items == before
    assert pack() == 2
    assert run(find_deliveries(reader, filter)).items == before


def test_the_index_of_the_newest_is_the_same_of_packed_ones(run, store, given, pack, everything, finished):
    id = finished(once=True)
    (second,) = given.taken()  # its event refers to a delivery of the first
    run(store.save_routed("router", [routed(second, new(f"{id}-a", second.id, once=True))]))

    def index() -> dict[str, object]:
        run(NewestIndex(store.client, store.namespace).index(1 << 52, 1000))
        return {name: found for name, found in everything().items() if name.startswith("newest")}

    before = index()
    assert {"newest:sink:books", "newest:route:other", "newest:source:acme"} <= before.keys()
    for packed in (1, 2):
        run(store.client.delete(*[store.keys.prefix + name for name in before]))
        assert pack(most=1) == packed
        assert index() == before


class TestActs:
    """What a person does to one that is packed."""

    @pytest.mark.parametrize("act", [Act.RETRY, Act.CANCEL, Act.CONFIRM])
    def test_what_its_state_does_not_allow_is_not_done(self, run, store, pack, finished, act):
        id = finished()
        pack()
        answer = run(store.acts.act_on_delivery(f"{id}-a", act, ANNA))
        assert (answer.code, answer.before) == ("state", "delivered")

    @pytest.mark.parametrize(("letter", "code"), [("a", "state"), ("b", "done"), ("c", "done")])
    def test_it_is_resent_as_it_was(self, run, store, given, pack, finished, look, letter, code):
        id = finished()
        content = run(store.client.get(store.keys.content(look(f"{id}-{letter}").content_id)))
        pack()
        assert run(store.acts.act_on_delivery(f"{id}-{letter}", Act.RESEND, ANNA)).code == code
        if code == "done":
            (again,) = given.claim(sink=look(f"{id}-{letter}").sink).items
            assert again.content == content
            assert pack() == 0  # it is unfinished
            given.settled(again, Outcome.DELIVERED, 3)
            assert pack() == 1

    def test_it_is_rendered_anew(self, run, store, given, pack, finished, look):
        id = finished()
        pack()
        anew = new(f"{id}-a", id, content=b"anew")
        answer = run(store.acts.render(f"{id}-a", ANNA, anew, "sink:books", "v2", force=True))
        assert answer.code == "done"
        (again,) = given.claim().items
        assert (again.content, again.generation) == (b"anew", 1)

    def test_it_is_replayed(self, run, store, reader, given, pack, finished, look_at_receipt):
        id = finished()
        pack()
        part = routed(run(reader.raw_receipt(id)), new(f"{id}-a", id), new("d-new", id, sink="till"), config="v2")
        answer = run(store.acts.replay(part, ANNA))
        assert (answer.code, answer.made) == ("done", 1)
        assert sorted(look_at_receipt(id).deliveries) == sorted([*(f"{id}-{letter}" for letter in "abc"), "d-new"])
        assert [one.id for one in given.claim(sink="till").items] == ["d-new"]

    def test_a_receipt_is_no_delivery(self, run, store, pack, finished):
        id = finished()
        pack()
        assert run(store.acts.act_on_delivery(id, Act.RESEND, ANNA)).code == "another kind"
        assert run(store.acts.act_on_delivery("unknown", Act.RESEND, ANNA)).code == "gone"


class TestLateAnswers:
    """A worker speaks hours late."""

    @pytest.mark.parametrize("claims", [False, True])
    def test_what_it_saw_is_in_the_story(self, run, store, reader, given, pack, look, claims):
        late = given.leased()
        given.settled(late, Outcome.SKIPPED, 1)
        pack()
        item = settlement(late, Outcome.DELIVERED, 2)
        answers = given.settle_and_claim("w2", item)[0] if claims else given.settle(item)
        assert answers == ["settled"]
        assert look(late.id).state is DeliveryState.DELIVERED
        assert [one.outcome for one in run(reader.story(late.id))] == [Outcome.SKIPPED, Outcome.DELIVERED]

    def test_what_it_repeats_changes_nothing(self, run, reader, given, pack):
        late, other = given.claimed(2)
        item = settlement(late, Outcome.DELIVERED, 1)
        given.settle(item)
        pack()
        assert given.settle(settlement(other, Outcome.DELIVERED, 1), item) == ["settled", "settled"]
        assert len(run(reader.story(late.id))) == 1


class TestHooks:
    def test_the_same_hook_once_more_finds_it(self, run, store, reader, pack):
        """A change that is caught up with days later has the same id."""
        one = hook("r1")
        run(store.accept([one]))
        (receipt,) = run(store.claim_receipts("router", 1, 60_000)).items
        run(store.save_routed("router", [routed(receipt)]))
        assert pack() == 1
        again = run(store.accept([one], [LateAnswer(id="r1")]))
        assert (again.answers, list(again.missing)) == ([("r1", False)], [])
        assert run(reader.inbox()) == (0, 0)
        assert run(store.client.exists(store.keys.receipt("r1"), store.keys.retired("r1"))) == 0

    def test_a_once_key_stays_used(self, run, store, reader, given, pack, finished, look):
        id = finished(once=True)
        pack()
        (second,) = given.taken()
        run(store.save_routed("router", [routed(second, new(f"{id}-a", second.id, once=True))]))
        assert given.claim().items == []
        assert look(f"{id}-a").event_id == f"{id}.0"
        assert run(reader.removed_once([f"{id}-a"])) == {f"{id}-a": "delivered"}

    def test_who_refers_to_it_is_packed_too(self, run, store, reader, given, pack, finished):
        id = finished(once=True)
        (second,) = given.taken()
        run(store.save_routed("router", [routed(second, new(f"{id}-a", second.id, once=True))]))
        before = [run(find_events(reader, EventFilter(sink="books"))).items, run(reader.receipts([second.id]))]
        assert len(before[0]) == 2
        assert pack() == 2
        assert [run(find_events(reader, EventFilter(sink="books"))).items, run(reader.receipts([second.id]))] == before


class TestWhatIsNotPacked:
    def test_what_is_young(self, run, store, pack, finished):
        finished()
        assert pack(after_ms=PACKED_AFTER_MS) == 0
        now = run(store.client.time())[0] * 1000
        run(store.packing.pack_next(now + 2 * PACKED_AFTER_MS, 100))  # of a worker whose clock is wrong
        assert run(store.client.zcard(store.keys.finished_packed)) == 0

    @pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.UNKNOWN, Outcome.RETRY])
    def test_what_a_person_or_a_worker_has_to_do_with(self, given, pack, outcome):
        given.settled(given.leased(), outcome)
        assert pack() == 0

    def test_a_once_delivery_whose_place_may_be_taken(self, run, store, given, pack, look):
        (first, second) = given.taken(2)
        run(store.save_routed("router", [routed(first, new("o1", first.id, once=True, state=DeliveryState.SKIPPED))]))
        assert pack() == 0
        run(store.save_routed("router", [routed(second, new("o1", second.id, once=True))]))
        assert look("o1").event_id == f"{second.id}.0"
        assert pack() == 0  # its reach is behind that receipt

    def test_a_large_one(self, run, store, given, pack):
        (receipt,) = given.taken()
        events = [event(n, str(n)) for n in range(MOST_PARTS + 1)]
        run(store.save_routed("router", [routed(receipt, events=events)]))
        assert pack() == 0

    @pytest.mark.parametrize("how", ["its fields", "the fields of a delivery", "a story"])
    def test_what_has_changed_since_it_was_read(self, run, store, pack, finished, how, monkeypatch):
        id = finished()
        change = {
            "its fields": lambda: store.client.hset(store.keys.receipt(id), "dups", 1),
            "the fields of a delivery": lambda: store.client.hset(store.keys.delivery(f"{id}-a"), "reason", "other"),
            "a story": lambda: store.client.rpush(store.keys.story(f"{id}-a"), '1|x|{"number":3}'),
        }[how]
        call = store.packing._call

        async def call_after_change(*arguments):
            await change()
            return await call(*arguments)

        monkeypatch.setattr(store.packing, "_call", call_after_change)
        assert pack() == 0


def test_what_is_noted_while_it_is_unpacked_is_not_lost(run, store, pack, finished, monkeypatch):
    id = finished()
    pack()
    index = PeopleIndex(store.client, store.namespace)
    call, row = store.packing._call, PersonRow(id, 0, ["h1"])

    async def call_after_change(*arguments):
        await index.write([row], Reach(key="k", score=1, member=id), 0)
        return await call(*arguments)

    monkeypatch.setattr(store.packing, "_call", call_after_change)
    run(store.packing.unpack_receipt(id))
    assert run(store.client.hexists(store.keys.receipt(id), f"{ReceiptField.PERSON}h1:0"))


def test_it_goes_on_where_it_stopped(run, store, pack, finished):
    ids = [finished() for _ in range(3)]
    run(store.client.zadd(store.keys.finished, dict.fromkeys(ids, 1)))  # all of one millisecond
    assert [pack(most=1), pack(most=1), pack(most=1), pack(most=1)] == [1, 2, 3, 3]


class TestPeople:
    def test_who_is_noted_later_is_found_and_forgotten_with_it(self, run, store, pack, finished):
        id = finished()
        run(store.client.delete(store.keys.people_index))
        pack()
        index, reach = PeopleIndex(store.client, store.namespace), Reach(key="k", score=1, member=id)
        for _ in range(2):
            run(index.write([PersonRow(id, 0, ["h1", "h2"]), PersonRow(id, 1, ["h1"])], reach, 0))
        accepted_at = run(store.client.zscore(store.keys.receipts, id))
        found = run(store.client.zrange(store.keys.people("h1"), 0, -1, withscores=True))
        assert dict(found) == {f"{id}.{index}".encode(): accepted_at for index in (0, 1)}
        run(store.packing.unpack_receipt(id))
        names = {name for name in run(store.client.hkeys(store.keys.receipt(id))) if name.startswith(b"w:")}
        assert names == {b"w:h1:0", b"w:h2:0", b"w:h1:1"}

    def test_retention_takes_them_off(self, run, store, pack, finished):
        id = finished()
        index = PeopleIndex(store.client, store.namespace)
        run(index.write([PersonRow(id, 0, ["h1"])], Reach(key="k", score=1, member=id), 0))
        pack()
        run(index.write([PersonRow(id, 1, ["h2"])], Reach(key="k", score=1, member=id), 0))
        assert run(store.retention.apply(0, 0, 1000)).removed == 1
        assert run(store.client.keys(store.keys.people("*"))) == []


class TestRetention:
    def test_nothing_is_left_of_it_but_the_counters(self, run, store, pack, everything, finished):
        finished()
        before = everything()
        run(store.retention.apply(0, 0, 1000))
        left, counted = everything().keys(), run(store.client.hgetall(store.keys.stats))
        assert before.keys() - left
        run(store.client.delete(store.keys.stats, *run(store.client.keys(store.keys.prefix + "retired:*"))))
        finished()
        pack()
        retired = run(store.retention.apply(0, 0, 1000))
        assert (retired.removed, list(retired.damaged)) == (1, [])
        assert {name for name in everything() if not name.startswith("retired:")} == {
            name for name in left if not name.startswith("retired:")
        }
        assert run(store.client.hgetall(store.keys.stats)) == counted

    def test_the_oldest_goes_first_packed_or_not(self, run, store, reader, pack, finished):
        ids = [finished() for _ in range(4)]
        run(store.client.zadd(store.keys.finished, {id: at for at, id in enumerate(ids)}))
        pack(most=1)
        run(store.packing.unpack_receipt(ids[0]))  # unpacked, and the next two packed
        pack(most=2)
        assert run(store.client.zcard(store.keys.finished_packed)) == 2
        for left in (3, 2, 1):
            assert run(store.retention.apply(10**15, 0, left)).removed == 1
            assert sorted(run(reader.newest_receipts(10))) == sorted(ids[4 - left :])

    def test_of_those_finished_in_one_moment_the_first_by_id_goes_first(self, run, store, reader, pack, finished):
        ids = sorted(finished() for _ in range(2))
        run(store.client.zadd(store.keys.finished, dict.fromkeys(ids, 1)))
        pack(most=1)
        assert run(store.retention.apply(10**15, 0, 1)).removed == 1
        assert run(reader.newest_receipts(10)) == ids[1:]

    def test_one_that_cannot_be_read_goes_all_the_same(self, run, store, pack, finished):
        id = finished()
        pack()
        packed_in = run(store.client.keys(store.keys.packed_in("*")))
        run(store.client.set(store.keys.packed(id), "no packed receipt"))
        retired = run(store.retention.apply(0, 0, 1000))
        assert (retired.removed, list(retired.damaged)) == (1, [id])
        assert run(store.client.exists(store.keys.packed(id), store.keys.finished_packed, store.keys.receipts)) == 0
        run(store.client.delete(*packed_in))
