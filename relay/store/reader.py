"""Read the store for people and metrics: receipts, events, deliveries, stories, and the state of the sinks."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from redis.asyncio import Redis

from relay.model import Attempt, DeliveryState, Receipt, ReceiptState
from relay.store.clock import clock_of
from relay.store.commands import run_command
from relay.store.counters import read_counters
from relay.store.fields import Counter, DeliveryField, ReceiptField
from relay.store.gate import GateChange, read_gate
from relay.store.health import StoreLife, read_life
from relay.store.home_gates import Gates, HomeGates
from relay.store.keys import ACCOUNT, INBOX, JOBS, Keys, account_queue
from relay.store.packed import PackedReceipts
from relay.store.queues import (
    AccountState,
    DueWork,
    SinkState,
    read_account_state,
    read_due_work,
)
from relay.store.raw_receipts import RawReceipts
from relay.store.records import LiveWorker, Stall
from relay.store.scripts import Caller, Script
from relay.store.shard_list import FIRST
from relay.store.sink_states import read_sink_states
from relay.store.stored import (
    StoredDelivery,
    StoredReceipt,
    queue_of,
    read_attempt,
    read_delivery,
    read_receipt,
    receipt_of_content,
)
from relay.store.turns import read_turns
from relay.store.wire.lists import FindReply, FindRequest

STALLS_MS = 3_600_000
WORKER_GONE_MS = 5_000  # since it was last seen: a ticker comes by twice a second
_EVENTS_AT_ONCE = 1000
_FIND = Script("find", "_walking", "_packed", "_put_off_rows")
_CHANGE = msgspec.json.Decoder(GateChange)
_FOUND = msgspec.msgpack.Decoder(FindReply)


class Reader:
    """Reads the store of one relay and changes nothing. Every method raises StoreUnavailable.

    `gates`: what reads the gates of sinks whose home is another shard; None where there is one shard.
    """

    def __init__(self, client: Redis, namespace: str = "relay", gates: HomeGates | None = None) -> None:
        self._gates = gates
        self.client = client
        self.namespace = namespace
        self.keys = Keys(namespace)
        self._call = Caller(client, self.keys.prefix)
        self._packed = PackedReceipts(client, self.keys)
        self._raw = RawReceipts(client, self.keys)

    @property
    def each(self) -> Mapping[str, "Reader"]:
        """Return a reader of every shard, by name: there is one (`relay.store.readers` has several)."""
        return {FIRST: self}

    @property
    def away(self) -> Mapping[str, str]:
        """Return which shards could not be reached lately, and why."""
        return {}

    def of_source(self, source: str) -> "Reader":  # noqa: ARG002  there is one shard
        """Return a reader of the shard that has a source."""
        return self

    async def now(self) -> int:
        """Return the store's time, and note it for the clock of this process."""
        seconds, micros = await run_command(self.client.time())
        now = int(seconds) * 1000 + int(micros) // 1000
        clock_of(self.client).note(now)
        return now

    async def newest_receipts(self, most: int, *, since: int | None = None) -> list[str]:
        """Return the ids of the receipts that arrived last, the newest first."""
        low = "-inf" if since is None else since
        found = await run_command(self.client.zrevrangebyscore(self.keys.receipts, "+inf", low, start=0, num=most))
        return [id.decode() for id in found]

    async def receipts_between(
        self, since: int | None, until: int | None, start: int, most: int, state: ReceiptState | None = None
    ) -> list[str]:
        """Return the ids of receipts that arrived between two times, the newest first, but for the first `start`.

        With a `state`, one of those that are listed by it: malformed, quarantined.
        """
        key = self.keys.receipts if state is None else self.keys.receipts_in(state)
        low, high = "-inf" if since is None else since, "+inf" if until is None else until
        found = await run_command(self.client.zrevrangebyscore(key, high, low, start=start, num=most))
        return [id.decode() for id in found]

    async def find(self, request: FindRequest) -> FindReply:
        """Look through a part of what a list is made of. The store does nothing else meanwhile: `most` bounds it."""
        return _FOUND.decode(await self._call(_FIND, request))

    async def count(self, keys: Sequence[str], low: int | None, high: int | None) -> list[int]:
        """Count the members of sorted sets between two scores."""
        bounds = "-inf" if low is None else low, "+inf" if high is None else high
        async with self.client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.zcount(key, *bounds)
            return list(await run_command(pipe.execute()))

    async def receipts(self, ids: Sequence[str]) -> list[StoredReceipt]:
        """Read receipts; those that are gone are left out."""
        records = await self._read_hashes(self.keys.receipt, ids)
        if missing := [id for id in ids if id not in records]:
            packed = await self._packed.read(missing)
            records |= {id: one.fields for id, one in packed.items()}
            # One that is in neither place may have been unpacked between the two looks.
            records |= await self._read_hashes(self.keys.receipt, [id for id in missing if id not in packed])
        return [read_receipt(id, records[id]) for id in ids if id in records]

    async def _read_hashes(self, key: Callable[[str], str], ids: Sequence[str]) -> dict[str, dict[bytes, bytes]]:
        """Read hashes; those that are not there are left out."""
        async with self.client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hgetall(key(id))
            found = await run_command(pipe.execute()) if ids else []
        return {id: fields for id, fields in zip(ids, found, strict=True) if fields}

    async def raw_receipt(self, id: str) -> Receipt | None:
        """Read a receipt as it arrived."""
        return (await self.raw_receipts([id])).get(id)

    async def raw_receipts(self, ids: Sequence[str]) -> dict[str, Receipt]:
        """Read receipts as they arrived; those that are gone are left out."""
        return await self._raw.read(ids)

    async def harmless(self, ids: Sequence[str]) -> list[str]:
        """Return those of receipts at which no worker died: who decodes another one, apart from the router, may die."""
        async with self.client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hmget(self.keys.receipt(id), ReceiptField.STATE, ReceiptField.DEATHS)
            found = await run_command(pipe.execute()) if ids else []
        bad = ReceiptState.QUARANTINED.encode()
        return [id for id, (state, deaths) in zip(ids, found, strict=True) if state != bad and not int(deaths or 0)]

    async def deliveries(self, ids: Sequence[str]) -> list[StoredDelivery]:
        """Read deliveries; those that are gone are left out."""
        records = await self._read_hashes(self.keys.delivery, ids)
        if missing := [id for id in ids if id not in records]:
            packed = await self._packed.read_deliveries(missing)
            records |= {id: one.fields for id, one in packed.items()}
            records |= await self._read_hashes(self.keys.delivery, [id for id in missing if id not in packed])
        found = [(id, records[id]) for id in ids if id in records]
        async with self.client.pipeline(transaction=False) as pipe:
            for id, record in found:
                queue = queue_of(record)
                pipe.zscore(self.keys.due(queue), id)
                pipe.zscore(self.keys.leased(queue), id)
                pipe.hgetall(self.keys.gate(queue))
            queued = await run_command(pipe.execute()) if found else []
        gates = await self._read_gates([queue_of(record) for _, record in found], queued[2::3])
        turns = await read_turns(self.client, self.keys, dict(found))
        return [
            read_delivery(id, record, queued[3 * n], queued[3 * n + 1], read_gate(gates[n]), turns.get(id, ""))
            for n, (id, record) in enumerate(found)
        ]

    async def removed_once(self, ids: Sequence[str]) -> dict[str, str]:
        """Return which of these ids are of `once` deliveries that retention removed, and in which state each was.

        What is packed is among them: ask for what is there first.
        """
        async with self.client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hget(self.keys.once(id[:3]), id)
            states = await run_command(pipe.execute()) if ids else []
        return {id: state.decode() for id, state in zip(ids, states, strict=True) if state is not None}

    async def made_before(self, ids: Sequence[str], time: int) -> set[str]:
        """Return which of these ids are of deliveries that were made of hooks from before a time, and not skipped.

        Those that retention removed are: it takes the oldest first.
        """
        fields = (DeliveryField.STATE, DeliveryField.ACCEPTED_AT)
        async with self.client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hmget(self.keys.delivery(id), *fields)
            found = await run_command(pipe.execute()) if ids else []
        made = {id: (state, at) for id, (state, at) in zip(ids, found, strict=True) if state is not None}
        packed = await self._packed.read_deliveries([id for id in ids if id not in made])
        made |= {id: (one.fields[fields[0].encode()], one.fields[fields[1].encode()]) for id, one in packed.items()}
        removed = await self.removed_once([id for id in ids if id not in made])
        before = {id for id, (state, at) in made.items() if state.decode() != DeliveryState.SKIPPED and int(at) < time}
        return before | removed.keys()

    async def content(self, delivery: StoredDelivery) -> bytes:
        """Read what a delivery sends."""
        return (await self.contents([delivery])).get(delivery.content_id, b"")

    async def contents(self, deliveries: Sequence[StoredDelivery]) -> dict[str, bytes]:
        """Read what deliveries send, by the ids of their contents."""
        ids = list(dict.fromkeys(one.content_id for one in deliveries))
        found = await self._read_contents(ids)
        if missing := [id for id in ids if id not in found]:
            packed = await self._packed.read([receipt_of_content(id) for id in missing])
            found |= {id: content for one in packed.values() for id, content in one.contents.items() if id in missing}
            found |= await self._read_contents([id for id in missing if id not in found])
        return found

    async def _read_contents(self, ids: Sequence[str]) -> dict[str, bytes]:
        found = await run_command(self.client.mget([self.keys.content(id) for id in ids])) if ids else []
        return {id: content for id, content in zip(ids, found, strict=True) if content is not None}

    async def without_content(self, deliveries: Sequence[StoredDelivery]) -> set[str]:
        """Return the ids of those that have nothing to send."""
        async with self.client.pipeline(transaction=False) as pipe:
            for one in deliveries:
                pipe.strlen(self.keys.content(one.content_id))
            sizes = await run_command(pipe.execute()) if deliveries else []
        missing = [one for one, size in zip(deliveries, sizes, strict=True) if not size]
        packed = await self._packed.read([receipt_of_content(one.content_id) for one in missing])
        contents = {id: content for one in packed.values() for id, content in one.contents.items()}
        return {one.id for one in missing if not contents.get(one.content_id)}

    async def story(self, delivery_id: str) -> list[Attempt]:
        """Read a delivery's attempts in order."""
        return (await self.stories([delivery_id]))[delivery_id]

    async def stories(self, ids: Sequence[str]) -> dict[str, list[Attempt]]:
        """Read the attempts of deliveries, of each in order."""
        async with self.client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.lrange(self.keys.story(id), 0, -1)
            found = dict(zip(ids, await run_command(pipe.execute()) if ids else [], strict=True))
        packed = await self._packed.read_deliveries([id for id, entries in found.items() if not entries])
        entries_of = {**found, **{id: one.story for id, one in packed.items()}}
        return {id: list(map(read_attempt, entries)) for id, entries in entries_of.items()}

    async def events_of(self, source: str, entity: str, id: str) -> list[str]:
        """Return the ids of the events of one lead, contact and so on, oldest first."""
        key, found = self.keys.events_of(source, entity, id), dict[str, None]()
        start, page = 0, [b""] * _EVENTS_AT_ONCE
        while len(page) == _EVENTS_AT_ONCE:  # from the newest on: one that comes meanwhile moves none out of sight
            page = await run_command(self.client.zrevrange(key, start, start + _EVENTS_AT_ONCE - 1))
            found |= dict.fromkeys(event.decode() for event in page)
            start += _EVENTS_AT_ONCE
        return list(reversed(found))

    async def finished_at(self, receipt: str) -> tuple[int | None, bool]:
        """Return since when nothing of a receipt waits, None where something does, and whether it has a dead letter."""
        async with self.client.pipeline(transaction=False) as pipe:
            for key in (self.keys.finished, self.keys.finished_packed, self.keys.finished_dead):
                pipe.zscore(key, receipt)
            *others, dead = await run_command(pipe.execute())
        at = next((score for score in (dead, *others) if score is not None), None)
        return None if at is None else int(at), dead is not None

    async def newest_members(self, key: str, most: int) -> list[str]:
        """Return what of a sorted set has the highest scores, the highest first."""
        return [one.decode() for one in await run_command(self.client.zrevrange(key, 0, most - 1))]

    async def registered_sinks(self) -> list[str]:
        """Read the names of the sinks that were ever registered."""
        return [name.decode() for name in await run_command(self.client.hkeys(self.keys.sinks))]

    async def sink_types(self) -> dict[str, str]:
        """Read the types of the sinks that were ever registered, by name."""
        found = await run_command(self.client.hgetall(self.keys.sinks))
        return {name.decode(): kind.decode() for name, kind in found.items()}

    async def sinks(self) -> list[SinkState]:
        """Read the state of every sink that was ever registered, some at a time: a thousand hold up no loop."""
        return await read_sink_states(self.client, self.keys, self._gates, await self.now())

    async def gate_history(self, queue: str) -> list[GateChange]:
        """Read the newest changes of a queue's gate, oldest first."""
        entries = await run_command(self.client.lrange(self.keys.history(queue), 0, -1))
        return [_CHANGE.decode(entry) for entry in entries]

    async def accounts(self, sources: Iterable[str] = ()) -> list[AccountState]:
        """Read what waits for look-ups: of these sources, and of every other one of which something does."""
        queues = [queue.decode() for queue in await run_command(self.client.zrange(self.keys.wake, 0, -1))]
        waiting = {name for kind, _, name in (queue.partition(":") for queue in queues) if kind == ACCOUNT}
        names, now = sorted(waiting | set(sources)), await self.now()
        async with self.client.pipeline(transaction=False) as pipe:
            for queue in map(account_queue, names):
                pipe.zcard(self.keys.due(queue))
                pipe.zcard(self.keys.leased(queue))
                pipe.zrange(self.keys.due(queue), 0, 0, withscores=True)
                pipe.hgetall(self.keys.gate(queue))
                pipe.hgetall(self.keys.outcomes(queue))
            found = await run_command(pipe.execute()) if names else []
        return [read_account_state(name, found[5 * n : 5 * n + 5], now) for n, name in enumerate(names)]

    async def due(self, queues: Sequence[str]) -> list[DueWork]:
        """Read how much of each queue may be taken now, and since when the oldest may."""
        now = await self.now()
        async with self.client.pipeline(transaction=False) as pipe:
            for queue in queues:
                pipe.zcount(self.keys.due(queue), "-inf", now)
                pipe.zrange(self.keys.due(queue), 0, 0, withscores=True)
                pipe.hgetall(self.keys.gate(queue))
            found = await run_command(pipe.execute()) if queues else []
        gates = await self._read_gates(queues, found[2::3])
        return [read_due_work((*found[3 * n : 3 * n + 2], gates[n]), now) for n in range(len(queues))]

    async def _read_gates(self, queues: Sequence[str], own: Gates) -> Gates:
        return await self._gates.read(queues, own) if self._gates else own

    async def inbox(self) -> tuple[int, int]:
        """Return how many receipts wait for routing, and how many are being routed."""
        return await self._depths(INBOX)

    async def jobs(self) -> tuple[int, int]:
        """Return how many jobs wait for their time, and how many are being done."""
        return await self._depths(JOBS)

    async def life(self) -> StoreLife:
        """Return since when the store is in use."""
        return await read_life(self.client, self.keys.life)

    async def workers(self) -> int:
        """Return how many workers live."""
        since = await self.now() - WORKER_GONE_MS
        return int(await run_command(self.client.zcount(self.keys.workers, since, "+inf")))

    async def live_workers(self) -> list[LiveWorker]:
        """Return the workers that live, by name."""
        since = await self.now() - WORKER_GONE_MS
        found = await run_command(self.client.zrangebyscore(self.keys.workers, since, "+inf", withscores=True))
        seen = {name.decode(): int(at) for name, at in found}
        versions = await run_command(self.client.hmget(self.keys.versions, list(seen))) if seen else []
        return [
            LiveWorker(name=name, version=None if version is None else version.decode(), seen_at=seen[name])
            for name, version in sorted(zip(seen, versions, strict=True))
        ]

    async def stalls(self) -> list[Stall]:
        """Return which parts of workers stood still within the last hour, the last first."""
        since = await self.now() - STALLS_MS
        rows = [row.decode().split("|", 2) for row in await run_command(self.client.lrange(self.keys.stalls, 0, -1))]
        return [Stall(at=int(at), part=part, worker=worker) for at, part, worker in rows if int(at) >= since]

    async def unrouted(self, most: int) -> list[str]:
        """Return the ids of receipts that are not routed yet: at most `most` that wait, and as many that are leased."""
        async with self.client.pipeline(transaction=False) as pipe:
            for key in (self.keys.due(INBOX), self.keys.leased(INBOX)):
                pipe.zrange(key, 0, most - 1)
            return [id.decode() for ids in await run_command(pipe.execute()) for id in ids]

    async def oldest_unrouted(self, now: int) -> int | None:
        """Return for how many milliseconds the oldest waiting receipt has been due; None where none waits."""
        found = await run_command(self.client.zrange(self.keys.due(INBOX), 0, 0, withscores=True))
        return max(now - int(found[0][1]), 0) if found else None

    async def received(self, source: str) -> int:
        """Return how many hooks a source has sent, repeated ones too."""
        counters = await read_counters(self.client, self.keys)
        return counters[f"{Counter.RECEIPT}|{source}|accepted"] + counters[f"{Counter.RECEIPT}|{source}|duplicate"]

    async def last_hook(self, source: str) -> int | None:
        """Return when a source last sent a hook, a repeated one too; None where it has sent none."""
        found = await run_command(self.client.hget(self.keys.last_hooks, source))
        return None if found is None else int(found)

    async def _depths(self, queue: str) -> tuple[int, int]:
        async with self.client.pipeline(transaction=False) as pipe:
            pipe.zcard(self.keys.due(queue))
            pipe.zcard(self.keys.leased(queue))
            waiting, leased = await run_command(pipe.execute())
        return waiting, leased

    async def counters(self) -> dict[tuple[str, ...], int]:
        """Read all counters, their names split: ("attempt", sink, outcome) and so on."""
        return {tuple(name.split("|")): n for name, n in (await read_counters(self.client, self.keys)).items()}
