"""A source is moved to another shard: only when nothing of it is under way, and in steps that may each be repeated."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from relay.accounts.source_health import SourceHealth, load_health, save_health
from relay.errors import RelayError
from relay.model import Outcome
from relay.operations import shards as operation
from relay.operations.shards import add_shard, move_source
from relay.store.acts import Act, Author
from relay.store.connect import connect
from relay.store.keys import account_queue, sink_queue
from relay.store.moving import QUIET_MS, Carrier
from relay.store.reader import Reader
from relay.store.requests import sink_claim_request
from relay.store.shard_list import Ownership, ShardRecord
from relay.store.shards import Shards
from relay.store.shared_state import SharedState
from relay.store.store import Store
from tests.integration.conftest import delete_all
from tests.integration.store.shapes import hook, routed, settlement
from tests.integration.store.shapes import new as new_delivery

ANNA = Author(by="anna")
STEPS = (
    (ShardRecord, "change", 1),
    (Ownership, "close", 1),
    (Carrier, "carry_identities", 1),
    (Carrier, "carry_state", 1),
    (operation, "_begin_counting", 1),
    (Carrier, "carry_subscriptions", 1),
    (Carrier, "end_jobs", 1),
    (ShardRecord, "change", 2),
    (Ownership, "own", 1),
)


class CutOffError(BaseException):
    """The process was killed."""


@pytest.fixture
def two(run, server, store, namespace):
    """Return two shards; acme is in the first, and all that it has there is finished."""
    opened: list[Store] = []

    def open_store(name: str) -> Store:
        opened.append(Store(connect(server.url, answer_seconds=10), name))
        return opened[-1]

    shards = Shards(store, open_store)
    run(store.registry.add_sources(["acme", "other"]))
    run(store.registry.add_sinks({"books": "http"}))
    run(add_shard(shards, "01", ANNA))
    yield SimpleNamespace(shards=shards, old=store, new=shards.store("01"))
    for one in opened:
        run(delete_all(one))


def deliver(run, store: Store, id: str, source: str = "acme", **more) -> str:
    """Store a hook with a pending delivery; return the delivery's id."""
    run(store.accept([hook(id, id.encode(), source=source)]))
    (receipt,) = run(store.claim_receipts("router", 1, 60_000)).items
    run(store.save_routed("router", [routed(receipt, new_delivery(f"d{id}", id, **more))]))
    return f"d{id}"


def claim_hook(run, store: Store) -> None:
    """Let a worker route a hook: it writes what it made of it without asking whose the source is by then."""
    run(store.accept([hook("r3", b"3")]))
    assert run(store.claim_receipts("router", 1, 60_000)).items


def finish(run, store: Store) -> None:
    """Deliver all that waits for the sink."""
    claim = run(store.claim_deliveries(sink_claim_request("books", "drainer", 100, 60_000, 100, [])))
    run(store.settle("books", [settlement(one, Outcome.DELIVERED) for one in claim.items], {}))


def grow_old(run, store: Store, source: str = "acme") -> None:
    """Let the last hook of a source be longer ago than repetitions come."""
    now = run(Reader(store.client, store.namespace).now())
    run(store.client.hset(store.keys.last_hooks, source, now - QUIET_MS))


@pytest.fixture
def idle(run, two):
    """Give acme what it takes with it, and what stays."""
    deliver(run, two.old, "r1", once=True)
    deliver(run, two.old, "r2")
    finish(run, two.old)
    run(two.old.client.hset(two.old.keys.once("abc"), "abcdef", "delivered"))
    shared = SharedState(two.old.client, two.old.namespace)
    run(shared.put("account:acme:tokens", b"sealed", 60_000))
    run(save_health(shared, "acme", SourceHealth(received=2, checked_at=1)))
    two.made = run(two.old.subscriptions.subscribe("acme", "https://one.example.com/", ["add_lead"], "anna"))
    run(two.old.subscriptions.disable(two.made.id, "it answered 410"))
    run(two.old.client.hset(two.old.keys.gate(account_queue("acme")), "reason", "401"))
    run(two.old.enqueue_job("listen:acme", "listen"))
    grow_old(run, two.old)
    return two


def check_moved(run, two) -> None:
    """Check that acme is whole in the new shard, and open there only."""
    run(two.shards.refresh())
    assert two.shards.list.sources["acme"].shard == "01"
    assert not two.shards.list.sources["acme"].moving
    assert run(two.old.accept([hook("r9", b"9")])).answers == [("", False)]
    assert run(two.new.accept([hook("r9", b"9")])).answers == [("r9", False)]
    assert run(two.old.accept([hook("r8", b"8", source="other")])).answers == [("r8", False)]
    reader = Reader(two.new.client, two.new.namespace)
    assert set(run(reader.removed_once(["dr1", "dr2", "abcdef"]))) == {"dr1", "abcdef"}
    shared = SharedState(two.new.client, two.new.namespace)
    assert run(shared.get("account:acme:tokens")) == b"sealed"
    assert 0 < run(shared.time_left("account:acme:tokens")) <= 60_000
    assert run(load_health(shared, "acme")).received == 0
    (subscription,) = run(two.new.subscriptions.list("acme"))
    assert (subscription.id, subscription.disabled) == (two.made.id, True)
    assert run(two.new.subscriptions.get(two.made.id)) == subscription
    gate = run(two.new.client.hgetall(two.new.keys.gate(sink_queue(subscription.sink))))
    assert gate[b"paused_why"] == b"it answered 410"
    assert run(two.new.client.hget(two.new.keys.gate(account_queue("acme")), "reason")) == b"401"
    assert not run(two.old.client.exists(two.old.keys.job("listen:acme")))


def test_an_idle_source_takes_along_what_it_needs_and_leaves_what_is_finished(run, idle):
    moved = run(move_source(idle.shards, "acme", "01", ANNA))
    assert (moved.moved, moved.identities, moved.subscriptions) == (True, 2, 1)
    check_moved(run, idle)
    # What is finished stays, and is sent again there.
    assert run(idle.old.acts.act_on_delivery("dr2", Act.CANCEL, ANNA)).code == "state"
    assert [one.id for one in run(Reader(idle.old.client, idle.old.namespace).deliveries(["dr1", "dr2"]))]
    # An event with the `once` key of what was sent there makes no delivery here.
    (receipt,) = run(idle.new.claim_receipts("router", 1, 60_000)).items
    run(idle.new.save_routed("router", [routed(receipt, new_delivery("dr1", "r9", once=True))]))
    assert run(Reader(idle.new.client, idle.new.namespace).deliveries(["dr1"])) == []
    assert not run(move_source(idle.shards, "acme", "01", ANNA)).moved


@pytest.mark.parametrize("step", range(len(STEPS)), ids=[f"{name} {nth}" for _, name, nth in STEPS])
def test_what_is_cut_off_after_a_step_goes_on_where_it_was(run, idle, monkeypatch, step):
    where, name, nth = STEPS[step]
    whole, calls = getattr(where, name), []

    async def cut_off(*arguments, **named):
        done = await whole(*arguments, **named)
        calls.append(name)
        if len(calls) == nth:
            raise CutOffError
        return done

    monkeypatch.setattr(where, name, cut_off)
    with pytest.raises(CutOffError):
        run(move_source(idle.shards, "acme", "01", ANNA))
    monkeypatch.setattr(where, name, whole)
    stored = [run(one.accept([hook(f"x{n}", b"x")])).answers[0][0] for n, one in enumerate((idle.old, idle.new))]
    assert "" in stored  # no hook is ever stored in both
    if stored == ["x0", ""]:
        grow_old(run, idle.old)
        (receipt,) = run(idle.old.claim_receipts("router", 1, 60_000)).items
        run(idle.old.save_routed("router", [routed(receipt)]))
    if stored == ["", "x1"]:
        run(idle.new.client.delete(idle.new.keys.last_hooks))
    run(move_source(idle.shards, "acme", "01", ANNA))
    check_moved(run, idle)


def test_a_move_that_was_cut_off_may_be_taken_back(run, idle, monkeypatch):
    async def cut_off(_):
        raise CutOffError

    monkeypatch.setattr(Carrier, "carry_identities", cut_off)
    with pytest.raises(CutOffError):
        run(move_source(idle.shards, "acme", "01", ANNA))
    assert run(idle.old.accept([hook("r5", b"5")])).answers == [("", False)]
    assert not run(move_source(idle.shards, "acme", "00", ANNA)).moved
    assert run(idle.old.accept([hook("r5", b"5")])).answers == [("r5", False)]
    assert idle.shards.list.sources["acme"].moving == ""


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda run, store: run(store.accept([hook("r3", b"3")])), "hooks wait to be routed"),
        (claim_hook, "hooks wait to be routed"),
        (lambda run, store: deliver(run, store, "r3"), "1 pending deliveries to books"),
        (lambda run, store: run(store.enqueue_job("catch-up:acme:5", "catch-up")), "it is being caught up"),
        (lambda run, store: run(store.client.hset(store.keys.actions_unfinished, "digest", "a1")), "bulk action"),
    ],
    ids=["a hook", "a claimed hook", "a delivery", "a catch-up", "an action"],
)
def test_what_is_under_way_is_told_and_nothing_is_changed(run, idle, make, said):
    make(run, idle.old)
    grow_old(run, idle.old)
    with pytest.raises(RelayError, match=f"acme is not idle: .*{said}"):
        run(move_source(idle.shards, "acme", "01", ANNA))
    run(idle.shards.refresh())
    assert idle.shards.list.sources["acme"].moving == ""
    assert run(idle.old.accept([hook("r7", b"7")])).answers == [("r7", False)]
    run(idle.old.client.delete(idle.old.keys.actions_unfinished))


def test_what_begins_between_the_first_look_and_the_end_opens_it_again(run, idle, monkeypatch):
    whole = Ownership.close

    async def close(self, source, epoch):
        await idle.old.accept([hook("r6", b"6")])  # the last hook that the shard took
        return await whole(self, source, epoch)

    monkeypatch.setattr(Ownership, "close", close)
    with pytest.raises(RelayError, match="its last hook came 0 minutes ago: two hours must have passed"):
        run(move_source(idle.shards, "acme", "01", ANNA))
    assert idle.shards.list.sources["acme"].moving == ""
    assert run(idle.old.accept([hook("r7", b"7")])).answers == [("r7", False)]


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [("acmee", "01", "no shard has a source acmee, did you mean acme"), ("acme", "07", "there is no shard 07")],
)
def test_a_name_that_there_is_not_is_told(run, idle, source, target, said):
    with pytest.raises(RelayError, match=said):
        run(move_source(idle.shards, source, target, ANNA))


def test_old_hooks_are_not_routed_again_where_nothing_is_known_of_what_was_sent_since(run, idle):
    run(move_source(idle.shards, "acme", "01", ANNA))
    reader = Reader(idle.old.client, idle.old.namespace)
    receipt = run(reader.raw_receipt("r2"))
    answer = run(idle.old.acts.replay(routed(receipt, new_delivery("d-again", "r2")), ANNA))
    assert (answer.code, answer.made) == ("moved", 0)


@pytest.mark.parametrize("place", ["assign_source:1:after", "own_source:1:after", "assign_source:2:after"])
def test_the_command_is_killed_and_given_again(run, idle, server, namespace, tmp_path, place):
    variables = {**os.environ, "REDIS_URL": server.url, "RELAY_NAMESPACE": namespace, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "tests.e2e.killed_process", "shards", "move", "acme", "01", "--by", "anna"]
    killed = subprocess.run(command, env={**variables, "KILL_AT": place}, cwd=tmp_path, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    again = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, timeout=60)
    assert again.returncode == 0, again.stderr
    assert b"acme is in 01" in again.stdout
    check_moved(run, idle)


def test_an_identity_that_retention_moves_meanwhile_is_carried(run, two, monkeypatch):
    id = deliver(run, two.old, "00", once=True)  # as an identity is: its first three digits call its bucket
    finish(run, two.old)
    grow_old(run, two.old)
    whole = Carrier._receipts

    async def receipts(self):
        await two.old.retention.apply(0, 0, 0)
        async for some in whole(self):
            yield some

    monkeypatch.setattr(Carrier, "_receipts", receipts)
    run(move_source(two.shards, "acme", "01", ANNA))
    assert run(Reader(two.old.client, two.old.namespace).deliveries([id])) == []
    assert run(Reader(two.new.client, two.new.namespace).removed_once([id])) == {id: "delivered"}


@pytest.fixture
def followed(run, two):
    """Return two shards; what follows a delivery of acme waits in the first to be routed."""
    run(two.old.registry.add_facts({"delivered|invoices": "each"}))
    deliver(run, two.old, "r1")
    claim = run(two.old.claim_deliveries(sink_claim_request("books", "drainer", 1, 60_000, 0, [])))
    done = [replace(settlement(one, Outcome.DELIVERED), is_followed=True) for one in claim.items]
    run(two.old.settle("books", done, {}))
    grow_old(run, two.old)
    return two


def follow(run, store: Store) -> str:
    """Route what follows to a `once` delivery; return its id."""
    (fact,) = run(store.claim_receipts("router", 1, 60_000)).items
    assert fact.source == "_relay"
    run(store.save_routed("router", [routed(fact, new_delivery("abc1", fact.id, once=True))]))
    return "abc1"


def test_what_follows_a_delivery_of_the_source_is_under_way_too(run, followed):
    with pytest.raises(RelayError, match="1 hooks wait to be routed"):
        run(move_source(followed.shards, "acme", "01", ANNA))
    follow(run, followed.old)
    with pytest.raises(RelayError, match="1 pending deliveries to books"):
        run(move_source(followed.shards, "acme", "01", ANNA))


def test_the_identity_of_what_followed_is_carried(run, followed):
    id = follow(run, followed.old)
    finish(run, followed.old)
    assert run(move_source(followed.shards, "acme", "01", ANNA)).identities == 1
    assert run(Reader(followed.new.client, followed.new.namespace).removed_once([id])) == {id: "delivered"}


def test_what_was_ended_meanwhile_does_not_come_back_with_the_source(run, idle):
    gone = run(idle.old.subscriptions.subscribe("acme", "https://two.example.com/", ["add_lead"], "anna"))
    run(move_source(idle.shards, "acme", "01", ANNA))
    run(idle.new.subscriptions.enable(idle.made.id))
    run(idle.new.subscriptions.unsubscribe("acme", gone.url, [], "anna"))
    run(idle.new.client.delete(idle.new.keys.gate(account_queue("acme"))))
    run(SharedState(idle.new.client, idle.new.namespace).delete("account:acme:tokens"))
    assert run(move_source(idle.shards, "acme", "00", ANNA)).subscriptions == 1
    store = idle.old
    assert [(one.id, one.disabled) for one in run(store.subscriptions.list("acme"))] == [(idle.made.id, False)]
    assert run(store.subscriptions.get(gone.id)) is None
    for queue in (sink_queue(idle.made.sink), sink_queue(gone.sink), account_queue("acme")):
        assert not run(store.client.exists(store.keys.gate(queue)))
    assert run(SharedState(store.client, store.namespace).get("account:acme:tokens")) is None


def test_a_subscription_that_was_the_last_one_does_not_come_back(run, idle):
    run(move_source(idle.shards, "acme", "01", ANNA))
    run(idle.new.subscriptions.unsubscribe("acme", idle.made.url, [], "anna"))
    assert run(move_source(idle.shards, "acme", "00", ANNA)).subscriptions == 0
    assert run(idle.old.subscriptions.list_all()) == []
    assert not run(idle.old.client.exists(idle.old.keys.gate(sink_queue(idle.made.sink))))


@pytest.mark.parametrize("step", ["carry_identities", "carry_state", "carry_subscriptions"])
def test_a_move_that_another_one_took_over_writes_nothing_more(run, idle, monkeypatch, step):
    whole, calls = getattr(Carrier, step), []

    async def slow(self, *epoch):
        if calls:
            return await whole(self, *epoch)
        calls.append(step)
        done = await whole(self, *epoch)
        await move_source(idle.shards, "acme", "01", ANNA)  # given again: the first one's connection was lost
        await idle.new.client.set(idle.new.keys.shared("account:acme:tokens"), "renewed")
        await idle.new.subscriptions.enable(idle.made.id)
        return done

    monkeypatch.setattr(Carrier, step, slow)
    with pytest.raises(RelayError, match="acme is being moved by somebody else: look at `relay shards list`"):
        run(move_source(idle.shards, "acme", "01", ANNA))
    assert run(SharedState(idle.new.client, idle.new.namespace).get("account:acme:tokens")) == b"renewed"
    assert not run(idle.new.subscriptions.list("acme"))[0].disabled
    run(idle.shards.refresh())
    assert (idle.shards.list.sources["acme"].shard, idle.shards.list.sources["acme"].moving) == ("01", "")


@pytest.mark.parametrize("step", ["carry_state", "carry_subscriptions"])
def test_what_a_move_had_still_to_write_changes_nothing_behind_a_later_one(run, idle, monkeypatch, step):
    whole, calls = getattr(Carrier, step), []

    async def slow(self, epoch):
        calls.append(epoch)
        if len(calls) == 1:  # it has looked that nobody else moves it, and stands still before it writes
            await move_source(idle.shards, "acme", "01", ANNA)
            await idle.new.client.set(idle.new.keys.shared("account:acme:tokens"), "renewed")
            await idle.new.subscriptions.enable(idle.made.id)
        return await whole(self, epoch)

    monkeypatch.setattr(Carrier, step, slow)
    with pytest.raises(RelayError, match=r"acme (was|is being) moved by somebody else: look at `relay shards list`"):
        run(move_source(idle.shards, "acme", "01", ANNA))
    assert run(SharedState(idle.new.client, idle.new.namespace).get("account:acme:tokens")) == b"renewed"
    assert not run(idle.new.subscriptions.list("acme"))[0].disabled
    assert run(idle.new.accept([hook("r9", b"9")])).answers == [("r9", False)]


def test_of_two_moves_that_begin_at_once_one_goes_on(run, idle, monkeypatch):
    whole = ShardRecord.change

    async def change(self, source, before, shard, moving=""):
        monkeypatch.setattr(ShardRecord, "change", whole)
        await whole(self, source, before, shard, moving)  # the other one's
        return await whole(self, source, before, shard, moving)

    monkeypatch.setattr(ShardRecord, "change", change)
    with pytest.raises(RelayError, match="acme is being moved by somebody else"):
        run(move_source(idle.shards, "acme", "01", ANNA))


def test_a_source_whose_account_is_being_asked_is_not_moved(run, idle):
    run(idle.old.claim_jobs("worker", 1, 60_000))
    with pytest.raises(RelayError, match="acme is not idle: a worker asks its account right now: try again"):
        run(move_source(idle.shards, "acme", "01", ANNA))
    assert run(idle.old.accept([hook("r7", b"7")])).answers == [("r7", False)]


def test_no_worker_begins_to_ask_the_account_while_its_tokens_are_carried(run, idle, monkeypatch):
    whole = Carrier.carry_state

    async def carry_state(self, epoch):
        assert not (await idle.old.claim_jobs("worker", 1, 60_000)).items
        await whole(self, epoch)

    monkeypatch.setattr(Carrier, "carry_state", carry_state)
    run(move_source(idle.shards, "acme", "01", ANNA))
    check_moved(run, idle)


def test_an_account_that_is_asked_while_its_tokens_are_carried_opens_it_again(run, idle, monkeypatch):
    whole = Carrier.carry_identities

    async def carry_identities(self):
        await idle.old.enqueue_job("drift:acme", "drift")  # a worker that knows an older list
        await idle.old.claim_jobs("worker", 1, 60_000)
        return await whole(self)

    monkeypatch.setattr(Carrier, "carry_identities", carry_identities)
    with pytest.raises(RelayError, match="try again in a minute"):
        run(move_source(idle.shards, "acme", "01", ANNA))
    assert run(idle.old.accept([hook("r7", b"7")])).answers == [("r7", False)]
