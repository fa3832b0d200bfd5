"""Say where a store differs from the model."""

from collections.abc import Iterator, Mapping
from typing import Any

from relay.facts.kinds import OWN_SOURCE
from relay.store.counters import read_counters
from relay.store.fields import DeliveryField, GateField, JobField, ReceiptField
from relay.store.store import Store
from tests.integration.invariants import StoreContents
from tests.integration.store.reference.state import Gate, Leasable, State

LEASABLE = {"token": JobField.TOKEN, "died": JobField.DEATHS, "alone": JobField.DEATHS_ALONE, "beside": JobField.BESIDE}
RECEIPT = LEASABLE | {
    "source": ReceiptField.SOURCE,
    "state": ReceiptField.STATE,
    "dups": ReceiptField.DUPLICATES,
    "open": ReceiptField.OPEN,
    "dead": ReceiptField.DEAD,
}
KNOWN = {
    "at": ReceiptField.RECEIVED_AT,
    "late": ReceiptField.ANSWERED_LATE,
    "repeated_by": ReceiptField.REPEATED_BY,
}
DELIVERY = LEASABLE | {
    "event": DeliveryField.EVENT,
    "route": DeliveryField.ROUTE,
    "sink": DeliveryField.SINK,
    "once": DeliveryField.ONCE,
    "state": DeliveryField.STATE,
    "queue": DeliveryField.QUEUE,
    "accepted_at": DeliveryField.ACCEPTED_AT,
    "attempts": DeliveryField.ATTEMPTS,
    "sent_at": DeliveryField.SENT_AT,
    "marked_by": DeliveryField.MARKED_BY,
    "sends": DeliveryField.SENDS,
    "reported": DeliveryField.TOLD,
    "cancel": DeliveryField.CANCEL,
    "down": DeliveryField.DOWN,
    "blocked": DeliveryField.BLOCKED,
    "generation": DeliveryField.GENERATION,
    "planned": DeliveryField.PLANNED,
    "keyed": DeliveryField.KEYED,
    "finished_at": DeliveryField.FINISHED_AT,
}
GATE = {
    "since": GateField.SINCE,
    "breaker": GateField.BREAKER,
    "ramp": GateField.RAMP,
    "paused": GateField.PAUSED,
    "paused_until": GateField.PAUSED_UNTIL,
}
COUNTED = ("receipt", "bytes", "event", "delivery", "route", "attempt", "closed", "retired", "removed")
FLAGS = {"reported", "cancel", "late", "once", "breaker", "paused"}  # in the store their text is for people


async def differences(store: Store, state: State, seen: StoreContents) -> list[str]:
    """Name everything in which the store and the model are not alike."""
    found = [*_records(state, seen), *_queues(state, seen)]
    keys = store.keys
    queues, counted = sorted(state.gates), sorted(state.rows)
    async with store.client.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.openings)
        for queue in queues:
            pipe.hgetall(keys.gate(queue))
        for id in state.retired:
            pipe.hgetall(keys.retired(id))
        for name in counted:
            pipe.hmget(keys.outcomes(name), "since", "row")
        answers = iter(await pipe.execute())
    counters = _counters(await read_counters(store.client, keys))
    found += _same("counters", counters, {k: n for k, n in state.counts.items() if n})
    found += _same("openings", _numbers(next(answers)), dict(state.openings))
    for queue in queues:
        found += _same(f"the gate of {queue}", _gate_fields(next(answers)), _gate_model(state.gates[queue]))
    for id in state.deliveries:
        story = [tuple(entry.decode().split("|", 2)[:2]) for entry in seen.stories.get(id, [])]
        found += _same(f"the story of {id}", story, [(str(n), str(o)) for o, _, n in state.stories.get(id, [])])
    for id, known in state.retired.items():
        found += _same(f"what is left of {id}", _stored(_text(next(answers)), KNOWN), _modelled(known, KNOWN))
    for name in counted:
        found += _same(f"the failures of {name}", [int(n or 0) for n in next(answers)], list(state.rows[name]))
    return found


def _text(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


def _numbers(fields: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name: int(n) for name, n in _text(fields).items() if int(n)}


def _counters(counters: Mapping[str, int]) -> dict[str, int]:
    """Return the counters that the model has, too."""
    own = f"|{OWN_SOURCE}"  # of facts, which are taken out
    return {name: n for name, n in counters.items() if n and name.partition("|")[0] in COUNTED and own not in name}


def _same(what: str, stored: Any, modelled: Any) -> Iterator[str]:
    if stored == modelled:
        return
    if isinstance(stored, dict) and isinstance(modelled, dict):
        for key in sorted(stored.keys() | modelled.keys()):
            if stored.get(key) != modelled.get(key):
                yield f"{what}: {key} is {stored.get(key)!r}, right would be {modelled.get(key)!r}"
    else:
        yield f"{what}: {stored!r}, right would be {modelled!r}"


def _stored(record: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, str]:
    named = {name: record.get(field, "") for name, field in fields.items()}
    return {name: "1" if name in FLAGS else text for name, text in named.items() if text not in ("", "0")}


def _modelled(record: object, fields: Mapping[str, str]) -> dict[str, str]:
    values = {name: getattr(record, name) for name in fields}
    return {name: "1" if name in FLAGS else str(value) for name, value in values.items() if value}


def _records(state: State, seen: StoreContents) -> Iterator[str]:
    kinds: list[tuple[Mapping[str, Leasable], Mapping[str, dict[str, str]], Mapping[str, str]]] = [
        (state.receipts, seen.receipts, RECEIPT),
        (state.deliveries, seen.deliveries, DELIVERY),
        (state.jobs, seen.jobs, LEASABLE),
    ]
    for modelled, stored, fields in kinds:
        for id in modelled.keys() - stored.keys():
            yield f"{id} has vanished"
        for id in stored.keys() - modelled.keys():
            yield f"{id} came from nowhere"
        for id in modelled.keys() & stored.keys():
            yield from _same(id, _stored(stored[id], fields), _modelled(modelled[id], fields))
    for id in state.receipts.keys() & seen.receipts.keys():
        yield from _same(id, _stored(seen.receipts[id], KNOWN), _modelled(state.receipts[id].known, KNOWN))
    packed = {id for id in seen.packed_in if "once" in seen.deliveries[id]}  # these are there still, too
    yield from _same("once", seen.once - packed, set(state.once))


def _queues(state: State, seen: StoreContents) -> Iterator[str]:
    for name, queue in state.queues.items():
        yield from _same(f"due of {name}", dict(seen.members(f"due:{name}")), queue.due)
        yield from _same(f"leased of {name}", dict(seen.members(f"leased:{name}")), queue.leased)
        recalled = {"": queue.recalled} if queue.recalled else {}
        yield from _same(f"ahead of {name}", dict(seen.members(f"ahead:{name}")), queue.ahead | recalled)
    for sink, ordered in state.ordered.items():
        yield from _same(f"ordered of {sink}", dict(seen.members(f"ordered:{sink}")), ordered)
    for (sink, key), listed in state.latest.items():
        right = {member: at for at, member in listed.values()}
        yield from _same(f"latest of {sink} and {key}", dict(seen.members(f"latest:{sink}:{key}")), right)
    finished = {**seen.members("finished:"), **seen.members("finished:packed")}
    yield from _same("finished", finished, state.finished)
    yield from _same("finished with a dead letter", dict(seen.members("finished:dead")), state.finished_dead)
    for kind in ("held", "dead"):
        listed: dict[str, dict[str, int]] = {}
        for id, delivery in state.deliveries.items():
            if delivery.state == kind:
                listed.setdefault(delivery.sink, {})[id] = delivery.listed_at
        for sink, right in listed.items():
            yield from _same(f"{kind} of {sink}", dict(seen.members(f"{kind}:{sink}")), right)


def _gate_fields(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    record = _text(fields)
    named = _stored(record, GATE)
    for name, value in record.items():
        kind, _, route = name.partition(":")
        if kind in ("route", "until"):
            named[f"until:{route}"] = str(int(float(value)))
        if kind in ("trial", "tried"):
            named[f"{kind}:{route}"] = value
    if "advance" in record:
        named["advance"] = "1"
    return named


def _gate_model(gate: Gate) -> dict[str, str]:
    named = _modelled(gate, GATE)
    for route, closed in gate.routes.items():
        named[f"until:{route}"] = str(closed.until)
        if closed.trial:
            named[f"trial:{route}"] = closed.trial
        if closed.tried:
            named[f"tried:{route}"] = str(closed.tried)
    if gate.advance:
        named["advance"] = "1"
    return named
