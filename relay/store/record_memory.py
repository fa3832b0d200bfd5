"""Estimate what the records of the store take, by kind: a random sample of receipts is measured, the sets are counted.

The cost is bounded whatever is stored: some two thousand short commands, none of which walks what it measures.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from relay.model import Record
from relay.store.commands import run_command
from relay.store.fields import DeliveryField, ReceiptField
from relay.store.keys import INBOX, JOBS, Keys, sink_queue
from relay.store.packed import PackedReceipts
from relay.store.shared_state import SharedState

SAMPLED: Final = 100  # receipts
FIELDS: Final = 64  # of a receipt's record that are looked at
DELIVERIES: Final = 4  # of a receipt that are measured
ONCE_SAMPLED: Final = 16  # of the hashes of `once` keys
KEPT_MS: Final = 3 * 3_600_000
_ONCE_BUCKETS: Final = 16**3
_KEY: Final = "record memory"
_PACKED_EVENT: Final = msgspec.json.Decoder(tuple[str, str, str, str, str])


class Kind(StrEnum):
    """A kind of records."""

    HOOKS = "hooks"
    BODIES = "bodies of hooks"
    DELIVERIES = "deliveries"
    ATTEMPTS = "attempts"
    CONTENTS = "contents of deliveries"
    PACKED = "packed hooks"  # with their deliveries, attempts and contents
    INDEXES = "indexes"
    QUEUES = "queues and lists"
    ONCE = "used once keys"
    HISTORY = "counters and audit"


class RecordKind(Record):
    """What the records of a kind take. `count`: how many there are, about, of indexes how many events they have."""

    kind: Kind
    bytes: int
    count: int | None = None


class RecordMemory(Record):
    """What the records take, by kind, as it was estimated at a time (epoch milliseconds) from so many receipts."""

    at: int
    sampled: int
    kinds: Sequence[RecordKind]


class _Totals:
    """Adds up what was measured of the sample, to be scaled to all receipts."""

    def __init__(self) -> None:
        self.bytes: dict[Kind, float] = defaultdict(float)
        self.counts: dict[Kind, float] = defaultdict(float)

    def add(self, kind: Kind, size: float, count: float = 0) -> None:
        self.bytes[kind] += size
        self.counts[kind] += count

    def kinds(self, scale: float) -> list[RecordKind]:
        return [
            RecordKind(kind=kind, bytes=round(size * scale), count=round(self.counts[kind] * scale) or None)
            for kind, size in self.bytes.items()
        ]


class _Sampled(Record):
    """A receipt of the sample: which of its fields were looked at, of how many."""

    source: str
    fields: Mapping[str, str]
    all_fields: int

    def named(self, kind: str) -> list[str]:
        """Return what follows the name of a kind of field, of those that were looked at."""
        return [name.removeprefix(kind) for name in self.fields if name.startswith(kind)]

    def scale(self) -> float:
        """Return how many fields there are for each that was looked at."""
        return self.all_fields / len(self.fields) if self.fields else 0


class RecordMemorySampler:
    """Estimates the memory of one relay's records, and keeps what it found for those that look."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._packed = PackedReceipts(client, self._keys)
        self._shared = SharedState(client, namespace)

    async def sample(self) -> RecordMemory:
        """Take a sample and keep it. Raises StoreUnavailable; StoreRefused where the store forbids to measure."""
        (total, ids) = await self._ask([("zcard", self._keys.receipts), ("zrandmember", self._keys.receipts, SAMPLED)])
        totals = _Totals()
        sampled = await self._measure_receipts([id.decode() for id in ids], totals)
        await self._measure_deliveries(sampled, totals)
        await self._measure_indexes(sampled, totals)
        kinds = totals.kinds(total / len(ids) if ids else 0)
        kinds += [await self._measure_queues(), await self._measure_once(), await self._measure_history()]
        found = RecordMemory(at=self._shared.clock.ms(), sampled=len(ids), kinds=[one for one in kinds if one.bytes])
        await self._shared.put(_KEY, msgspec.json.encode(found), KEPT_MS)
        return found

    async def _measure_receipts(self, ids: Sequence[str], totals: _Totals) -> list[_Sampled]:
        asked: list[tuple[Any, ...]] = []
        for id in ids:
            record = self._keys.receipt(id)
            asked += [("memory_usage", record), ("memory_usage", self._keys.body(id)), ("hlen", record)]
            asked += [("hrandfield", record, FIELDS, True), ("hget", record, ReceiptField.SOURCE)]
        found, sampled = await self._ask(asked), []
        for record_size, body_size, fields, values, source in _rows(found, 5):
            if record_size is None or source is None:  # it is packed, or retention was faster
                continue
            totals.add(Kind.HOOKS, record_size, 1)
            totals.add(Kind.BODIES, body_size or 0, body_size is not None)
            sampled.append(_Sampled(source=source.decode(), fields=_pairs(values), all_fields=fields))
        return [*sampled, *await self._measure_packed(ids, totals)]

    async def _measure_packed(self, ids: Sequence[str], totals: _Totals) -> list[_Sampled]:
        sampled = []
        for id, packed in (await self._packed.read(ids)).items():
            keys = [self._keys.packed(id), *map(self._keys.packed_in, packed.deliveries)]
            totals.add(Kind.PACKED, await self._size(keys), 1)
            fields = {name.decode(): value.decode() for name, value in packed.fields.items()}
            sampled.append(_Sampled(source=fields[ReceiptField.SOURCE], fields=fields, all_fields=len(fields)))
        return sampled

    async def _measure_deliveries(self, sampled: Sequence[_Sampled], totals: _Totals) -> None:
        chosen = [(one, one.named(ReceiptField.DELIVERY)[:DELIVERIES]) for one in sampled]
        asked: list[tuple[Any, ...]] = []
        for id in (id for _, ids in chosen for id in ids):
            record = self._keys.delivery(id)
            asked += [("memory_usage", record), ("memory_usage", self._keys.story(id))]
            asked += [("hget", record, DeliveryField.CONTENT)]
        measured = iter(_rows(await self._ask(asked), 3))
        contents: dict[str, float] = {}  # each once: sinks of one route and event share it
        for one, ids in chosen:
            scale = one.scale() * len(one.named(ReceiptField.DELIVERY)) / len(ids) if ids else 0
            for record_size, story_size, content in (next(measured) for _ in ids):
                totals.add(Kind.DELIVERIES, scale * (record_size or 0), scale * (record_size is not None))
                totals.add(Kind.ATTEMPTS, scale * (story_size or 0))
                if content:
                    contents.setdefault(content.decode(), scale)
        sizes = await self._ask([("memory_usage", self._keys.content(id)) for id in contents])
        for scale, size in zip(contents.values(), sizes, strict=True):
            totals.add(Kind.CONTENTS, scale * (size or 0), scale * (size is not None))

    async def _measure_indexes(self, sampled: Sequence[_Sampled], totals: _Totals) -> None:
        """Measure what finds events by their entity and by people: of a set of many each event has its part."""
        keys: list[tuple[str, float]] = []
        for one in sampled:
            events = [name for name in one.fields if name.startswith(ReceiptField.EVENT)]
            totals.add(Kind.INDEXES, 0, one.scale() * len(events))
            for name in events[:1]:
                _, entity, id, _, _ = _PACKED_EVENT.decode(one.fields[name])
                keys.append((self._keys.events_of(one.source, entity, id), one.scale() * len(events)))
            people = one.named(ReceiptField.PERSON)
            keys += [(self._keys.people(person.partition(":")[0]), one.scale() * len(people)) for person in people[:1]]
        found = await self._ask([ask for key, _ in keys for ask in (("memory_usage", key), ("zcard", key))])
        for (_, scale), (size, members) in zip(keys, _rows(found, 2), strict=True):
            totals.add(Kind.INDEXES, scale * size / members if size and members else 0)

    async def _measure_queues(self) -> RecordKind:
        keys = self._keys
        (names,) = await self._ask([("hkeys", keys.sinks)])
        sinks = [name.decode() for name in names]
        queues = [INBOX, JOBS, *map(sink_queue, sinks)]
        lists = [keys.receipts, keys.finished, keys.finished_packed, keys.finished_dead, keys.wake]
        lists += [key(queue) for queue in queues for key in (keys.due, keys.leased)]
        lists += [
            key(sink) for sink in sinks for key in (keys.pending, keys.held, keys.dead, keys.put_off, keys.ordered)
        ]
        return RecordKind(kind=Kind.QUEUES, bytes=await self._size(lists))

    async def _measure_once(self) -> RecordKind:
        step = _ONCE_BUCKETS // ONCE_SAMPLED
        buckets = [self._keys.once(f"{n * step:03x}") for n in range(ONCE_SAMPLED)]
        return RecordKind(kind=Kind.ONCE, bytes=await self._size(buckets) * step)

    async def _measure_history(self) -> RecordKind:
        keys = self._keys
        alone = [
            keys.stats,
            keys.counted,
            keys.audit,
            keys.minutes,
            keys.totals,
            keys.actions,
            keys.memory,
            keys.problems,
        ]
        return RecordKind(kind=Kind.HISTORY, bytes=await self._size(alone))

    async def _size(self, keys: Iterable[str]) -> int:
        return sum(size or 0 for size in await self._ask([("memory_usage", key) for key in keys]))

    async def _ask(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands, some hundreds at once: between them the store does other work."""
        found: list[Any] = []
        for start in range(0, len(commands), 500):
            async with self._client.pipeline(transaction=False) as pipe:
                for name, *arguments in commands[start : start + 500]:
                    getattr(pipe, name)(*arguments)
                found += await run_command(pipe.execute())
        return found


async def read_record_memory(shared: SharedState) -> RecordMemory | None:
    """Read what was found last; None: nobody has measured it, or the store forbids it. Raises StoreUnavailable."""
    stored = await shared.get(_KEY)
    return None if stored is None else msgspec.json.decode(stored, type=RecordMemory)


def _rows(found: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [found[start : start + size] for start in range(0, len(found), size)]


def _pairs(values: Sequence[bytes]) -> dict[str, str]:
    return {values[at].decode(): values[at + 1].decode() for at in range(0, len(values), 2)}
