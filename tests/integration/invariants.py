"""What must hold of the store's records and sets at any moment, whatever happened before."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from relay.store.keys import INBOX, JOBS, sink_queue
from relay.store.store import Store

UNFINISHED = ("pending", "held")


@dataclass
class Seen:
    """All of a store, each kind of key by the name that follows its kind."""

    receipts: dict[str, dict[str, str]] = field(default_factory=dict)
    deliveries: dict[str, dict[str, str]] = field(default_factory=dict)
    jobs: dict[str, dict[str, str]] = field(default_factory=dict)
    once: set[str] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    sets: dict[str, dict[str, float]] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)

    def members(self, name: str) -> dict[str, float]:
        """Give a sorted set, empty where it is not there."""
        return self.sets.get(name, {})

    def places(self, queue: str, id: str) -> list[str]:
        """Say in which of a queue's two sets an id is."""
        return [kind for kind in ("due", "leased") if id in self.members(f"{kind}:{queue}")]


async def broken(store: Store) -> list[str]:
    """Name every invariant that does not hold."""
    seen = await _see(store)
    return [*_receipts(seen), *_deliveries(seen), *_members(seen), *_wake(seen)]


async def _see(store: Store) -> Seen:
    client, prefix, seen = store.client, store.keys.prefix, Seen()
    hashes = {"r": seen.receipts, "d": seen.deliveries, "j": seen.jobs}
    for key in sorted(await client.keys(prefix + "*")):
        kind, _, name = key.decode().removeprefix(prefix).partition(":")
        if kind in hashes:
            hashes[kind][name] = {f.decode(): v.decode() for f, v in (await client.hgetall(key)).items()}
        elif kind in ("due", "leased", "held", "dead", "finished", "wake"):
            pairs = await client.zrange(key, 0, -1, withscores=True)
            seen.sets[f"{kind}:{name}"] = {id.decode(): score for id, score in pairs}
        elif kind == "once":
            seen.once |= {id.decode() for id in await client.hkeys(key)}
        elif kind == "c":
            seen.contents.add(name)
        elif kind == "gate" and await client.hexists(key, "paused"):
            seen.paused.add(name)
    return seen


def _receipts(seen: Seen) -> Iterator[str]:
    owned = Counter(d["ev"].partition(".")[0] for d in seen.deliveries.values() if d["state"] in UNFINISHED)
    for id, receipt in seen.receipts.items():
        waiting = seen.places(INBOX, id)
        if len(waiting) != (receipt["state"] == "accepted"):
            yield f"receipt {id} is {receipt['state']} and in {waiting} of the inbox"
        if int(receipt["open"]) != len(waiting) + owned[id]:
            yield f"receipt {id} says {receipt['open']} open: {waiting} of the inbox and {owned[id]} deliveries"
        finished = [name for name in ("finished:", "finished:dead") if id in seen.members(name)]
        right = [] if int(receipt["open"]) else ["finished:dead" if "dead" in receipt else "finished:"]
        if finished != right:
            yield f"receipt {id} is in {finished}, right would be {right}"
        for delivery in (name[2:] for name in receipt if name.startswith("d:")):
            if delivery not in seen.deliveries and delivery not in seen.once:
                yield f"receipt {id} speaks of delivery {delivery}, which is not there"


def _deliveries(seen: Seen) -> Iterator[str]:
    for id, delivery in seen.deliveries.items():
        state, sink = delivery["state"], delivery["sink"]
        places = seen.places(sink_queue(sink), id)
        if len(places) != (state == "pending"):
            yield f"delivery {id} is {state} and in {places} of its queue"
        if places == ["leased"] and "tok" not in delivery:
            yield f"delivery {id} is leased to nobody"
        for kind in ("held", "dead"):
            if (id in seen.members(f"{kind}:{sink}")) != (state == kind):
                yield f"delivery {id} is {state}, its place among the {kind} says otherwise"
        if delivery["c"] not in seen.contents:
            yield f"delivery {id} has lost its content"
        if delivery["ev"].partition(".")[0] not in seen.receipts:
            yield f"delivery {id} has lost its receipt"
    for content in seen.contents - {d["c"] for d in seen.deliveries.values()}:
        if content.partition(":")[0] not in seen.receipts:
            yield f"content {content} is nobody's, for ever"


def _members(seen: Seen) -> Iterator[str]:
    for name, members in seen.sets.items():
        kind, _, queue = name.partition(":")
        if kind in ("due", "leased"):
            records = {INBOX: seen.receipts, JOBS: seen.jobs}.get(queue, seen.deliveries)
            yield from (f"{name} holds {id}, of which there is no record" for id in members if id not in records)


def _wake(seen: Seen) -> Iterator[str]:
    wake = seen.members("wake:")
    queues = {name.partition(":")[2] for name in seen.sets if name.startswith(("due:", "leased:"))}
    for queue in queues - seen.paused:
        at = wake.get(queue, float("inf"))
        if at == float("inf"):
            yield f"nobody will ever look at queue {queue}"
        elif at > min(seen.members(f"leased:{queue}").values(), default=at):
            yield f"queue {queue} is looked at only after a lease of it ran out"
