"""What must hold of the store's records and sets at any moment, whatever happened before."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio.client import Pipeline

from relay.store.keys import INBOX, JOBS, sink_queue
from relay.store.packing import ReceiptRecords, unpack
from relay.store.store import Store

UNFINISHED = ("pending", "held")
SETS = (
    "due", "leased", "ahead", "pending", "held", "dead", "failed", "finished", "wake", "receipts", "put_off", "ordered",
    "line", "latest",
)  # fmt: skip


@dataclass
class StoreContents:
    """All of a store, each kind of key by the name that follows its kind."""

    receipts: dict[str, dict[str, str]] = field(default_factory=dict)
    deliveries: dict[str, dict[str, str]] = field(default_factory=dict)
    jobs: dict[str, dict[str, str]] = field(default_factory=dict)
    once: set[str] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    sets: dict[str, dict[str, float]] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    packed: dict[str, ReceiptRecords] = field(default_factory=dict)  # their records are among the others, too
    packed_in: dict[str, str] = field(default_factory=dict)  # delivery -> receipt
    stories: dict[str, list[bytes]] = field(default_factory=dict)

    def members(self, name: str) -> dict[str, float]:
        """Return a sorted set, empty where it is not there."""
        return self.sets.get(name, {})

    def places(self, queue: str, id: str) -> list[str]:
        """Say in which of a queue's two sets an id is."""
        return [kind for kind in ("due", "leased") if id in self.members(f"{kind}:{queue}")]


async def broken_invariants(store: Store) -> list[str]:
    """Name every invariant that does not hold."""
    return broken_invariants_of(await read_store(store))


def broken_invariants_of(seen: StoreContents, skipped_before: Collection[str] = ()) -> list[str]:
    """Name every invariant that does not hold in what was seen.

    `skipped_before`: the `once` deliveries that retention removed as skipped; receipts that share them may remain.
    """
    return [
        *_receipts(seen, skipped_before),
        *_receipts_by_state(seen),
        *_deliveries(seen),
        *_lines(seen),
        *_causes(seen),
        *_packed(seen),
        *_members(seen),
        *_wake(seen),
    ]


async def read_store(store: Store) -> StoreContents:
    """Read all of a store, in two round trips."""
    prefix, seen = store.keys.prefix, StoreContents()
    names = [key.decode().removeprefix(prefix) for key in sorted(await store.client.keys(prefix + "*"))]
    async with store.client.pipeline(transaction=True) as pipe:
        read = [name for name in names if _ask(pipe, prefix, name)]
        answers = await pipe.execute()
    for name, answer in zip(read, answers, strict=True):
        _note(seen, name, answer)
    seen.contents = {name.removeprefix("c:") for name in names if name.startswith("c:")}
    for id, records in seen.packed.items():
        _note_packed(seen, id, records, names)
    return seen


def _note_packed(seen: StoreContents, id: str, records: ReceiptRecords, names: Sequence[str]) -> None:
    """Note the records of a packed receipt as those of any other: none of them may be there beside it."""
    beside = [
        *(f"{kind}:{id}" for kind in ("r", "b")),
        *(f"{kind}:{delivery}" for kind in ("d", "a") for delivery in records.deliveries),
        *(f"c:{content}" for content in records.contents),
    ]
    assert set(beside).isdisjoint(names)
    seen.receipts[id] = _text(records.fields)
    for delivery, one in records.deliveries.items():
        seen.deliveries[delivery], seen.stories[delivery] = _text(one.fields), list(one.story)
    seen.contents |= records.contents.keys()


def _ask(pipe: Pipeline, prefix: str, name: str) -> bool:
    kind = name.partition(":")[0]
    if kind in ("r", "d", "j", "once", "gate"):
        pipe.hgetall(prefix + name)
    elif kind in SETS:
        pipe.zrange(prefix + name, 0, -1, withscores=True)
    elif kind in ("p", "in"):
        pipe.get(prefix + name)
    elif kind == "a":
        pipe.lrange(prefix + name, 0, -1)
    else:
        return False
    return True


def _note(seen: StoreContents, name: str, answer: Any) -> None:
    kind, _, rest = name.partition(":")
    if kind in SETS:
        seen.sets[f"{kind}:{rest}"] = {id.decode(): score for id, score in answer}
        return
    if kind == "p":
        seen.packed[rest] = unpack(rest, answer)
        return
    if kind == "in":
        seen.packed_in[rest] = answer.decode()
        return
    if kind == "a":
        seen.stories[rest] = answer
        return
    record = _text(answer)
    if kind == "once":
        seen.once |= record.keys()
    elif kind == "gate" and "paused" in record:
        seen.paused.add(rest)
    elif kind in ("r", "d", "j"):
        {"r": seen.receipts, "d": seen.deliveries, "j": seen.jobs}[kind][rest] = record


def _text(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


def _receipts(seen: StoreContents, skipped_before: Collection[str]) -> Iterator[str]:
    owned = Counter(d["ev"].partition(".")[0] for d in seen.deliveries.values() if d["state"] in UNFINISHED)
    moved = {delivery["planned"] for delivery in seen.deliveries.values() if "planned" in delivery}
    for id, receipt in seen.receipts.items():
        waiting = seen.places(INBOX, id)
        if len(waiting) != (receipt["state"] == "accepted"):
            yield f"receipt {id} is {receipt['state']} and in {waiting} of the inbox"
        put_off = {name[2:]: sink for name, sink in receipt.items() if name.startswith("p:")}
        if int(receipt["open"]) != len(waiting) + owned[id] + len(put_off):
            yield (
                f"receipt {id} says {receipt['open']} open: {waiting} of the inbox, {owned[id]} deliveries and "
                f"{len(put_off)} put off"
            )
        for delivery, sink in put_off.items():
            if sum(member.startswith(f"{delivery}|{id}.") for member in seen.members(f"put_off:{sink}")) != 1:
                yield f"receipt {id} speaks of {delivery} as put off, and {sink} does not"
        finished = [name for name in ("finished:", "finished:dead", "finished:packed") if id in seen.members(name)]
        kind = "packed" if id in seen.packed else "dead" if "dead" in receipt else ""
        right = [] if int(receipt["open"]) else [f"finished:{kind}"]
        if finished != right:
            yield f"receipt {id} is in {finished}, right would be {right}"
        for delivery in (name[2:] for name in receipt if name.startswith("d:")):
            if delivery not in {*seen.deliveries, *seen.once, *moved, *put_off, *skipped_before}:
                yield f"receipt {id} speaks of delivery {delivery}, which is not there"


def _receipts_by_state(seen: StoreContents) -> Iterator[str]:
    for state in ("malformed", "quarantined"):
        right = {id for id, receipt in seen.receipts.items() if receipt["state"] == state}
        if (listed := seen.members(f"receipts:{state}").keys()) != right:
            yield f"listed as {state} are {sorted(listed)}, right would be {sorted(right)}"


def _deliveries(seen: StoreContents) -> Iterator[str]:
    for id, delivery in seen.deliveries.items():
        state, sink = delivery["state"], delivery["sink"]
        places = seen.places(delivery.get("q", sink_queue(sink)), id)
        places += ["ordered"] if id in seen.members(f"ordered:{sink}") else []
        if len(places) != (state == "pending"):
            yield f"delivery {id} is {state} and in {places} of its queue"
        if places == ["leased"] and not delivery.get("tok"):
            yield f"delivery {id} is leased to nobody"
        for kind in ("pending", "held", "dead"):
            if (id in seen.members(f"{kind}:{sink}")) != (state == kind):
                yield f"delivery {id} is {state}, its place among the {kind} says otherwise"
        if delivery["c"] not in seen.contents:
            yield f"delivery {id} has lost its content"
        if delivery["ev"].partition(".")[0] not in seen.receipts:
            yield f"delivery {id} has lost its receipt"
    for content in seen.contents - {d["c"] for d in seen.deliveries.values()}:
        if content.partition(":")[0] not in seen.receipts:
            yield f"content {content} is nobody's, for ever"


def place_in_line(event: str, id: str) -> str:
    """Return how a delivery is called in the sets of its keys."""
    receipt, _, index = event.rpartition(".")
    digits = receipt.replace("-", "")
    return f"{digits[8:] if len(digits) == 32 else f'{receipt}.'}{int(index):03x}|{id}"


def _lines(seen: StoreContents) -> Iterator[str]:
    """In a line are the pending deliveries of one key; it is the turn of one, and the others wait for it."""
    lines: dict[str, dict[str, float]] = {}
    ordered: set[tuple[str, str]] = set()
    for id, one in seen.deliveries.items():
        order = one.get("keyed", "|").partition("|")[0]
        if order and one["state"] == "pending":
            members = lines.setdefault(f"line:{one['sink']}:{order}", {})
            members[place_in_line(one["ev"], id)] = float(one["acc"])
            if id in seen.members(f"ordered:{one['sink']}"):
                ordered.add((one["sink"], id))
    stored = {name: members for name, members in seen.sets.items() if name.startswith("line:")}
    for name in stored.keys() | lines.keys():
        found, right = stored.get(name, {}), lines.get(name, {})
        sink, turns = name.split(":")[1], [member for member, at in found.items() if at == 0]
        if len(turns) != 1 or found | {turns[0]: right.get(turns[0])} != right:
            yield f"{name} has {found}, right would be {right} with one at 0"
            continue
        waiting = {member for member in right if (sink, member.partition("|")[2]) in ordered}
        if waiting != right.keys() - {turns[0]}:
            yield f"of {name} {sorted(waiting)} wait, though it is the turn of {turns[0]}"
        queue = seen.deliveries[turns[0].partition("|")[2]].get("q", sink_queue(sink))
        is_due = turns[0].partition("|")[2] in seen.members(f"due:{queue}")
        if is_due and (right[turns[0]], turns[0]) != min((at, member) for member, at in right.items()):
            yield f"of {name} it is the turn of {turns[0]}, which is not the first and in no lease"
    listed = {(name.partition(":")[2], id) for name, members in seen.sets.items() for id in members
              if name.startswith("ordered:")}  # fmt: skip
    yield from (f"ordered:{sink} holds {id}, which is in no line" for sink, id in sorted(listed - ordered))


def _causes(seen: StoreContents) -> Iterator[str]:
    sets = {name: members for name, members in seen.sets.items() if name.startswith("failed:")}
    listed = {(name, id) for name, members in sets.items() for id in members if id in seen.deliveries}
    failed = {id: one for id, one in seen.deliveries.items() if one["state"] in ("held", "dead")}
    right = {(f"failed:{one['sink']}:{one.get('cause')}", id) for id, one in failed.items()}
    yield from (f"{name} has {id} by its cause, and should not" for name, id in sorted(listed - right))
    yield from (f"{name} should have {id} by its cause" for name, id in sorted(right - listed))


def _packed(seen: StoreContents) -> Iterator[str]:
    right = {delivery: id for id, records in seen.packed.items() for delivery in records.deliveries}
    if seen.packed_in != right:
        yield f"packed deliveries are in {seen.packed_in}, right would be {right}"
    for id in seen.members("finished:packed").keys() - seen.packed.keys():
        yield f"receipt {id} is listed as packed, and is not there"
    for id, one in seen.deliveries.items():
        if id in right and "once" in one and id not in seen.once:
            yield f"the `once` delivery {id} has been packed without leaving its identity"


def _members(seen: StoreContents) -> Iterator[str]:
    for name, members in seen.sets.items():
        kind, _, queue = name.partition(":")
        if kind == "ahead":
            for id in members.keys() - seen.members(f"leased:{queue}").keys() - {""}:
                yield f"{name} holds {id}, which is not leased"
        if kind in ("due", "leased", "pending"):
            records = {INBOX: seen.receipts, JOBS: seen.jobs}.get(queue, seen.deliveries)
            own = {id for id in members if not id.startswith("lent|")}  # what is lent is of other shards
            yield from (f"{name} holds {id}, of which there is no record" for id in own if id not in records)
        if kind == "pending":
            arrived = {id: float(seen.deliveries[id]["acc"]) for id in members if id in seen.deliveries}
            yield from (
                f"{name} has {id} at {members[id]}, not {at}" for id, at in arrived.items() if members[id] != at
            )


def _wake(seen: StoreContents) -> Iterator[str]:
    wake = seen.members("wake:")
    queues = {name.partition(":")[2] for name in seen.sets if name.startswith(("due:", "leased:"))}
    for queue in queues - seen.paused:
        at = wake.get(queue, float("inf"))
        if at == float("inf"):
            yield f"nobody will ever look at queue {queue}"
        elif at > min(seen.members(f"leased:{queue}").values(), default=at):
            yield f"queue {queue} is looked at only after a lease of it ran out"
