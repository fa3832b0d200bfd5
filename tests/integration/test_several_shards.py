"""Several shards: each owns its sources and refuses what is another's; commands read and act over all of them."""

import json
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from relay.cli import app
from relay.config.load import load
from relay.errors import RelayError
from relay.operations import shards as shard_operations
from relay.operations.actions import ActionKind, ActionRequest, read_action, read_actions, start_action
from relay.operations.search import EventFilter, find_events
from relay.operations.shards import add_shard, list_shards
from relay.sinks.registry import sink_types
from relay.store.acts import Act, Author
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.shard_list import FIRST, Ownership, choose_shard
from relay.store.shards import Shards
from relay.store.store import Store
from relay.store.stores import Stores
from tests.integration.action_runs import no_account
from tests.integration.store.shapes import hook, routed
from tests.integration.store.shapes import new as new_delivery
from workers.actions import ActionRunner

ANNA = Author(by="anna")
YAML = """\
sources: {acme: {type: amocrm, token: long-enough}}
sinks: {books: {type: log}}
routes: [{name: all, on: add_lead, to: books}]
"""
CONFIG = load(YAML, file="relay.yaml", environ={}, sink_types=sink_types())


def ownership(shards: Shards, shard: str) -> Ownership:
    store = shards.store(shard)
    return Ownership(store.client, store.namespace)


def with_broken_shards(whole, *names: str) -> SimpleNamespace:
    """Return the same with shards that cannot be reached."""
    nobody = connect("redis://127.0.0.1:1", answer_seconds=1)
    stores = {name: Store(nobody, one.namespace) if name in names else one
              for name, one in whole.shards.stores().items()}  # fmt: skip
    known = whole.shards.list
    return SimpleNamespace(store=Stores(lambda: stores, whole.reader, known.shard_of, known.home_of))


def due_actions(run, store: Store) -> list[str]:
    return [id for one in run(store.client.zrange(store.keys.due("jobs"), 0, -1))
            if (id := one.decode()).startswith("action:")]  # fmt: skip


def accept(run, store: Store, id: str, source: str) -> str:
    """Return the id of the receipt; empty where the source is another shard's."""
    ((found, _),) = run(store.accept([hook(id, id.encode(), source=source)])).answers
    return found


def deliver(run, store: Store, id: str, source: str) -> str:
    """Store a hook with a pending delivery; return the delivery's id."""
    assert accept(run, store, id, source) == id
    (receipt,) = run(store.claim_receipts("router", 1, 60_000)).items
    run(store.save_routed("router", [routed(receipt, new_delivery(f"d-{id}", id))]))
    return f"d-{id}"


def test_what_a_relay_had_stays_in_the_first_shard_and_what_is_new_is_shared_out(run, three):
    assert three.names == ("00", "01", "02")
    assert three.list.shard_of("acme") == FIRST
    assert run(ownership(three, FIRST).read()) == {"acme"}
    assert run(ownership(three, "01").read()) == {"bigco"}
    chosen = [choose_shard(f"account{n}", three.names) for n in range(300)]
    assert all(80 < chosen.count(name) < 120 for name in three.names)
    added = [choose_shard(f"account{n}", (*three.names, "03")) for n in range(300)]
    assert {one for one, before in zip(added, chosen, strict=True) if one != before} == {"03"}


def test_a_shard_stores_no_hook_of_what_it_does_not_own_and_the_rest_of_its_group(run, three):
    assert accept(run, three.first, "r1", "acme") == "r1"
    assert accept(run, three.first, "r2", "bigco") == ""
    assert accept(run, three.store("01"), "r2", "bigco") == "r2"
    group = [hook("r3", b"3", source="acme"), hook("r4", b"4", source="corner")]
    assert [id for id, _ in run(three.first.accept(group)).answers] == ["r3", ""]
    assert run(Reader(three.first.client, three.first.namespace).newest_receipts(10)) == ["r3", "r1"]


def test_stories_are_read_wherever_they_are(run, whole):
    ids = []
    for id, source, shard in (("r1", "acme", FIRST), ("r2", "corner", "02")):
        ids.append(deliver(run, whole.shards.store(shard), id, source))
        run(whole.shards.store(shard).acts.act_on_delivery(ids[-1], Act.CANCEL, ANNA))
    found = run(whole.reader.stories([*ids, "d-none"]))
    assert {id: [one.number for one in story] for id, story in found.items()} == {
        "d-r1": [0],
        "d-r2": [0],
        "d-none": [],
    }
    assert run(whole.reader.story("d-r2")) == found["d-r2"]


def test_an_older_word_changes_nothing_in_a_shard_and_the_first_to_give_a_source_wins(run, three):
    given = three.list.sources["bigco"]
    later = run(three.record.assign("bigco", given, "01", moving="02"))
    assert run(ownership(three, "01").close("bigco", later.epoch))
    assert not run(ownership(three, "01").own("bigco", given.epoch))
    assert not run(ownership(three, "01").own("bigco", later.epoch))  # the same word cannot be its contrary
    assert accept(run, three.store("01"), "r1", "bigco") == ""
    assert run(three.record.assign("bigco", given, "02")) == later  # who read before that writes nothing
    assert run(three.record.assign("bigco", None, "02")) == later


def test_a_shard_that_has_lost_everything_begins_anew_with_what_the_list_gives_it(run, three):
    store, given = three.store("01"), three.list.sources["bigco"]
    assert accept(run, store, "r1", "bigco") == "r1"
    run(store.client.unlink(*run(store.client.keys(store.keys.prefix + "*"))))
    run(three.keep_copies())  # as a worker does that begins
    assert accept(run, store, "r2", "acme") == ""
    assert accept(run, store, "r2", "bigco") == ""
    assert run(ownership(three, "01").own("bigco", given.epoch))  # as web does that has read the list
    assert accept(run, store, "r2", "bigco") == "r2"
    assert run(ownership(three, "01").close("bigco", given.epoch + 1)), "it can be moved as before"
    assert accept(run, store, "r3", "bigco") == ""


@pytest.mark.parametrize("steps", [1, 2])
def test_an_addition_that_is_cut_off_after_a_step_can_be_repeated(run, shards, steps):
    run(shards.first.registry.add_sources(["acme"]))
    run(ownership(shards, "01").begin())
    if steps == 2:
        run(shards.record.add("01"))
        run(shards.refresh())
        assert shards.names == ("00", "01")
    else:
        assert accept(run, shards.first, "r1", "acme") == "r1"
        assert run(add_shard(shards, None, ANNA)) == "01"
    assert accept(run, shards.first, "r2", "acme") == "r2"
    assert accept(run, shards.store("01"), "r3", "acme") == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [("01", "there is a shard 01 already"), ("00", "cannot be the name"), ("1", "cannot be the name"),
     ("one", "cannot be the name"), ("٠١", "cannot be the name")],
)  # fmt: skip
def test_a_name_that_will_not_do_is_told(run, three, name, said):
    with pytest.raises(RelayError, match=said):
        run(add_shard(three, name, ANNA))


def test_keys_of_an_earlier_time_are_no_shard(run, three):
    run(three.store("03").registry.add_sources(["somebody"]))
    with pytest.raises(RelayError, match=r"keys of an earlier time are under \{t\d+:03\}"):
        run(add_shard(three, "03", ANNA))
    assert run(add_shard(three, "04", ANNA)) == "04"


def test_lists_are_in_the_order_of_all_and_go_on_where_they_stopped(run, whole):
    sources = {"acme": "00", "bigco": "01", "corner": "02"}
    order = ["acme", "bigco", "bigco", "corner", "acme", "corner", "bigco", "acme"]
    for n, source in enumerate(order):
        deliver(run, whole.shards.store(sources[source]), f"r{n}", source)
    found, after = [], None
    while True:
        page = run(find_events(whole.reader, EventFilter(limit=3, after=after)))
        assert len(page.items) <= 3
        found += [one.receipt.id for one in page.items]
        if (after := page.next) is None:
            break
    arrived = {one.id: one.received_at for one in run(whole.reader.receipts([f"r{n}" for n in range(8)]))}
    assert sorted(found) == [f"r{n}" for n in range(8)]
    assert [arrived[id] for id in found] == sorted(arrived.values(), reverse=True)
    for store in whole.shards.stores().values():
        run(store.registry.add_sinks({"books": "http"}))
    (books,) = run(whole.reader.sinks())
    assert (books.pending, books.waiting) == (8, 8)
    assert run(whole.reader.counters())["delivery", "books", "created"] == 8


def test_an_act_finds_its_delivery_wherever_it_is_and_a_pause_is_one_of_all(run, whole):
    ids = [deliver(run, whole.shards.store(shard), f"r{shard}", source)
           for shard, source in (("00", "acme"), ("01", "bigco"), ("02", "corner"))]  # fmt: skip
    for id in ids:
        assert run(whole.store.acts.act_on_delivery(id, Act.CANCEL, ANNA)).code == "done"
    assert run(whole.store.acts.act_on_delivery("d-none", Act.CANCEL, ANNA)).code == "gone"
    assert {one.state for one in run(whole.reader.deliveries(ids))} == {"cancelled"}
    assert run(whole.store.acts.pause("books", ANNA, None))[0]
    for one in whole.each.values():  # it has no home yet
        assert run(one.client.hexists(one.keys.gate("sink:books"), "paused"))
    assert [entry.act for entry in run(whole.store.acts.audit(10))].count("cancel") == 3


def test_a_bulk_action_is_one_row_in_each_and_is_listed_once(run, whole):
    for shard, source in (("00", "acme"), ("01", "bigco")):
        deliver(run, whole.shards.store(shard), f"r{shard}", source)
    request = ActionRequest(kind=ActionKind.CANCEL, filter=EventFilter())
    started = run(start_action(whole.store, whole.reader, request, ANNA))
    assert started.started
    (listed,) = run(read_actions(whole.store)).items
    assert (listed.id, listed.total) == (started.id, 2)
    for one in whole.shards.stores().values():
        assert [action.id for action in run(one.actions.read([started.id]))] == [started.id]
        assert run(one.actions.change(started.id, "finish", ANNA))[0]
    assert run(read_actions(whole.store)).items[0].state == "done"


def work_off(run, whole, shard: str, known: Sequence[str] | None = None) -> None:
    """Do what is due of the actions in a shard, as a worker that knows some shards, or all."""
    store = whole.shards.store(shard)
    others = {name: one.actions for name, one in whole.shards.stores().items()
              if name != shard and (known is None or name in known)}  # fmt: skip
    runner = ActionRunner(
        lambda: CONFIG, store, no_account, lambda: False, others=lambda: others if shard == FIRST else {}
    )
    if due := due_actions(run, store):
        run(store.client.zadd(store.keys.due("jobs"), dict.fromkeys(due, 1), xx=True))
    while jobs := [one for one in run(store.claim_jobs("w:j", 1, 60_000)).items if one.kind == "action"]:
        for job in jobs:
            run(store.finish_job(job, run(runner.run(job))))


def test_a_bulk_action_cut_off_between_its_rows_begins_where_it_has_none(run, whole):
    deliver(run, whole.shards.store("01"), "r01", "bigco")
    request = ActionRequest(kind=ActionKind.CANCEL, filter=EventFilter())
    cut_off = with_broken_shards(whole, "01", "02")
    started = run(start_action(cut_off.store, whole.reader, request, ANNA))
    assert not run(whole.shards.store("01").actions.read([started.id]))
    assert run(read_action(whole.store, started.id)).waits == (
        "it has not begun in shard 01; it has not begun in shard 02"
    )
    work_off(run, whole, FIRST, known=["02"])
    action = run(read_action(whole.store, started.id))
    assert (action.state, action.waits) == ("running", "it has not begun in shard 01")
    work_off(run, whole, FIRST)
    for _ in range(2):  # a part that is there is not begun once more
        work_off(run, whole, "01")
        work_off(run, whole, "02")
        work_off(run, whole, FIRST)
    action = run(read_action(whole.store, started.id))
    assert (action.state, action.waits, action.results) == ("done", "", {"done": 1})
    assert run(whole.reader.deliveries(["d-r01"]))[0].state == "cancelled"


def test_a_bulk_action_is_not_done_while_a_shard_is_away_and_goes_on_when_it_is_back(run, whole, namespace):
    deliver(run, whole.shards.first, "r00", "acme")
    request = ActionRequest(kind=ActionKind.CANCEL, filter=EventFilter())
    started = run(start_action(whole.store, whole.reader, request, ANNA))
    work_off(run, whole, "01")
    work_off(run, whole, FIRST)
    there = whole.each["02"]
    nobody = Store(connect("redis://127.0.0.1:1", answer_seconds=1), f"{namespace}:02")
    whole.each["02"] = Reader(nobody.client, nobody.namespace)
    action = run(read_action(whole.store, started.id))
    assert (action.state, action.waits[:18]) == ("running", "shard 02 is away: ")
    whole.each["02"] = there
    whole.reader._away.clear()
    assert run(read_action(whole.store, started.id)).waits == "it has not ended in shard 02"
    work_off(run, whole, "02")
    work_off(run, whole, FIRST)
    assert run(read_action(whole.store, started.id)).state == "done"


def test_who_changes_a_bulk_action_is_told_which_shard_was_not(run, whole):
    deliver(run, whole.shards.first, "r00", "acme")
    request = ActionRequest(kind=ActionKind.CANCEL, filter=EventFilter())
    started = run(start_action(whole.store, whole.reader, request, ANNA))
    with pytest.raises(RelayError, match=r"shard 02 is away: .*: do it again when all are back"):
        run(with_broken_shards(whole, "02").store.actions.change(started.id, "abort", ANNA))
    states = [run(whole.shards.store(name).actions.read([started.id]))[0].state for name in whole.shards.names]
    assert states == ["aborted", "aborted", "running"]
    assert run(whole.store.actions.change(started.id, "abort", ANNA))[0]
    assert run(whole.shards.store("02").actions.read([started.id]))[0].state == "aborted"


def test_subscriptions_live_with_their_sources_and_share_one_count_of_ids(run, whole):
    made = [run(whole.store.subscriptions.subscribe(source, f"https://{source}.example.com/", ["add_lead"], "anna"))
            for source in ("acme", "bigco", "corner", "bigco")]  # fmt: skip
    assert made[1].id == made[3].id
    assert len({one.id for one in made}) == 3
    assert [one.source for one in run(whole.store.subscriptions.list_all())] == ["acme", "bigco", "corner"]
    assert run(whole.shards.store("01").subscriptions.get(made[1].id)).source == "bigco"
    assert run(whole.store.subscriptions.disable(made[2].id, "tried")) is True
    assert run(whole.store.subscriptions.get(made[2].id)).disabled


def test_what_is_away_is_named_and_nothing_is_said_to_be_gone_meanwhile(run, whole, server, namespace):
    deliver(run, whole.shards.store("00"), "r0", "acme")
    nobody = Store(connect("redis://127.0.0.1:1", answer_seconds=1), f"{namespace}:02")
    whole.each["02"] = Reader(nobody.client, nobody.namespace)
    assert [one.id for one in run(whole.reader.receipts(["r0"]))] == ["r0"]
    assert "shard 02 is away" in whole.reader.describe_away()
    with pytest.raises(RelayError, match="shard 02 is away"):
        run(whole.reader.receipts(["elsewhere"]))
    whole.shards._stores["02"] = nobody
    listed = {one.name: one for one in run(list_shards(whole.shards))}
    assert listed["02"].away
    assert listed["02"].sources == ["corner"]
    assert not listed["01"].away


def test_a_shard_that_is_lost_between_two_questions_is_listed_as_away(run, three, namespace, monkeypatch):
    read = shard_operations.read_memory_use
    monkeypatch.setattr(shard_operations, "read_memory_use", lambda _: read(three.first.client))  # answered before
    three._stores["02"] = Store(connect("redis://127.0.0.1:1", answer_seconds=1), f"{namespace}:02")
    assert [bool(one.away) for one in run(list_shards(three))] == [False, False, True]


def test_commands_look_at_all_shards_or_at_one(run, whole, server, namespace, monkeypatch, tmp_path):
    for shard, source in (("00", "acme"), ("01", "bigco")):
        deliver(run, whole.shards.store(shard), f"r{shard}", source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("RELAY_NAMESPACE", namespace)
    listed = json.loads(CliRunner().invoke(app, ["deliveries", "list", "--json"]).stdout)
    assert {one["source"] for one in listed} == {"acme", "bigco"}
    monkeypatch.setenv("RELAY_SHARD", "01")
    listed = json.loads(CliRunner().invoke(app, ["deliveries", "list", "--json"]).stdout)
    assert {one["source"] for one in listed} == {"bigco"}
    monkeypatch.setenv("RELAY_SHARD", "07")
    assert "there is no shard 07" in str(CliRunner().invoke(app, ["deliveries", "list"]).exception)
    monkeypatch.delenv("RELAY_SHARD")
    assert "REDIS_URL is one server" in str(CliRunner().invoke(app, ["shards", "add", "--by", "anna"]).exception)
