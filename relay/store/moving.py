"""What of a source is carried from one shard to another, and whether anything of it is still under way."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import msgspec

from relay.errors import RelayError
from relay.facts.kinds import OWN_SOURCE
from relay.model import Receipt
from relay.store.commands import run_command
from relay.store.fields import DeliveryField, SubscriptionsField
from relay.store.keys import INBOX, JOBS, Keys, account_queue, sink_queue
from relay.store.raw_receipts import RawReceipts
from relay.store.scripts import Caller, Script
from relay.store.store import Store

STEP: Final = 500  # rows read at once: about a millisecond of the store
CATCH_UP: Final = "catch-up"  # how the ids of jobs begin that catch a source up
QUIET_MS: Final = 2 * 3_600_000  # for which a hook may be the repetition of an earlier one
_WRITE: Final = Script("write_moved")
_BOOL = msgspec.msgpack.Decoder(bool)
_BUCKETS: Final = 16**3  # of the identities of `once` deliveries
_BUCKETS_AT_ONCE: Final = 64


class Carrier:
    """Carries one source from a shard to another. Every step may be repeated; all raise StoreUnavailable."""

    def __init__(self, source: str, old: Store, new: Store, notes: Sequence[str]) -> None:
        self._source = source
        self._old, self._new = old, new
        self._notes = notes
        self._raw = RawReceipts(old.client, old.keys)
        self._call = Caller(new.client, new.keys.prefix)

    async def obstacles(self, now: int) -> list[str]:
        """Return what is still under way of the source, in words; nothing where it may be moved."""
        found = await self._recent_hook(now)
        found += await self._unrouted()
        for sink in await self._sinks():
            found += await self._unfinished(sink)
        if await run_command(self._old.client.exists(self._old.keys.actions_unfinished)):
            found.append("a bulk action has not ended: `relay actions list` shows it")
        jobs = [
            job for queue in (self._old.keys.due(JOBS), self._old.keys.leased(JOBS)) for job in await self._all(queue)
        ]
        if any(job.startswith(f"{CATCH_UP}:{self._source}:") for job in jobs):
            found.append("it is being caught up")
        return found

    async def _recent_hook(self, now: int) -> list[str]:
        at = await run_command(self._old.client.hget(self._old.keys.last_hooks, self._source))
        ago = None if at is None else now - int(at)
        if ago is None or ago >= QUIET_MS:
            return []
        return [f"its last hook came {max(ago, 0) // 60_000} minutes ago: two hours must have passed"]

    async def _unrouted(self) -> list[str]:
        keys = self._old.keys
        # Due ones twice: a lease may run out between the looks.
        queues = (keys.due(INBOX), keys.leased(INBOX), keys.due(INBOX))
        ids = list({id for queue in queues for id in await self._all(queue)})
        waiting = await self._count_of_source(keys.receipt, ids)
        return [f"{waiting} hooks wait to be routed"] if waiting else []

    async def _sinks(self) -> list[str]:
        return [name.decode() for name in await run_command(self._old.client.hkeys(self._old.keys.sinks))]

    async def _unfinished(self, sink: str) -> list[str]:
        keys = self._old.keys
        found = []
        for what, key in (("pending", keys.pending(sink)), ("held", keys.held(sink))):
            ids = await self._all(key)
            if count := await self._count_of_source(keys.delivery, ids):
                found.append(f"{count} {what} deliveries to {sink}: `relay deliveries list --sink {sink}` shows them")
        put_off = [id.split("|")[1].partition(".")[0] for id in await self._all(keys.put_off(sink))]
        if count := await self._count_of_source(keys.receipt, put_off):
            found.append(
                f"{count} deliveries to {sink} are put off: `relay deliveries list --state put-off` shows them"
            )
        return found

    async def _all(self, key: str) -> list[str]:
        return [member async for member in self._members(key)]

    async def _members(self, key: str) -> AsyncIterator[str]:
        cursor = -1
        while cursor:
            cursor, rows = await run_command(self._old.client.zscan(key, max(cursor, 0), count=STEP))
            for member, _ in rows:
                yield member.decode()

    async def _count_of_source(self, key: Callable[[str], str], ids: Sequence[str]) -> int:
        """Count those of some receipts or deliveries that are of a hook of the source, or follow from one."""
        found = 0
        for at in range(0, len(ids), STEP):
            some = ids[at : at + STEP]
            async with self._old.client.pipeline(transaction=False) as pipe:
                for id in some:
                    pipe.hmget(key(id), DeliveryField.SOURCE, DeliveryField.EVENT)  # a receipt has no such event
                rows = await run_command(pipe.execute())
            found += [source for source, _ in rows].count(self._source.encode())
            of_facts = [
                event.decode().partition(".")[0] if event else id
                for id, (source, event) in zip(some, rows, strict=True)
                if source == OWN_SOURCE.encode()
            ]
            facts = await self._raw.read(list(dict.fromkeys(of_facts)))
            found += [_first_source(facts[id]) for id in of_facts if id in facts].count(self._source)
        return found

    async def carry_identities(self) -> int:
        """Copy the identities of `once` deliveries, those of finished receipts that are still there, too.

        Which source an identity is of nobody knows, so all are copied: what one store would not send twice, two do not.
        Returns how many are new there.
        """
        # Meanwhile receipts are packed and removed, which moves identities into the buckets, and unpacked, which takes
        # them out again: the buckets before and after the receipts have what is on its way.
        copied = await self._carry_all_buckets()
        async for receipts in self._receipts():
            copied += await self._carry_identities_of(receipts)
        return copied + await self._carry_all_buckets()

    async def _carry_all_buckets(self) -> int:
        copied = 0
        for first in range(0, _BUCKETS, _BUCKETS_AT_ONCE):
            copied += await self._carry_buckets([f"{n:03x}" for n in range(first, first + _BUCKETS_AT_ONCE)])
        return copied

    async def _carry_buckets(self, buckets: Sequence[str]) -> int:
        async with self._old.client.pipeline(transaction=False) as pipe:
            for bucket in buckets:
                pipe.hgetall(self._old.keys.once(bucket))
            found = await run_command(pipe.execute())
        return await self._write_identities({id.decode(): s.decode() for states in found for id, s in states.items()})

    async def _write_identities(self, states: dict[str, str]) -> int:
        new = 0
        ids = list(states)
        for at in range(0, len(ids), STEP):
            async with self._new.client.pipeline(transaction=False) as pipe:
                for id in ids[at : at + STEP]:
                    pipe.hsetnx(self._new.keys.once(id[:3]), id, states[id])
                new += sum(await run_command(pipe.execute()))
        return new

    async def _receipts(self) -> AsyncIterator[list[str]]:
        """Yield all receipts, some at a time; packed ones have left their identities in the buckets."""
        ids: list[str] = []
        async for id in self._members(self._old.keys.receipts):
            ids.append(id)
            if len(ids) == STEP:
                yield ids
                ids = []
        yield ids

    async def _carry_identities_of(self, receipts: Sequence[str]) -> int:
        async with self._old.client.pipeline(transaction=False) as pipe:
            for id in receipts:
                pipe.hkeys(self._old.keys.receipt(id))
            found = await run_command(pipe.execute()) if receipts else []
            fields = [field.decode() for names in found for field in names]
            deliveries = [field.removeprefix("d:") for field in fields if field.startswith("d:")]
            for id in deliveries:
                pipe.hmget(self._old.keys.delivery(id), "once", "state")
            states = await run_command(pipe.execute()) if deliveries else []
        kept = {id: state.decode() for id, (once, state) in zip(deliveries, states, strict=True) if once and state}
        return await self._write_identities({id: state for id, state in kept.items() if state != "skipped"})

    async def _write(self, epoch: int, commands: Sequence[Sequence[str | int | bytes]]) -> None:
        """Run commands there. Raises RelayError where a later move has given the source to that shard."""
        rows = [[False if isinstance(one, bytes) else one for one in command] for command in commands]
        blobs = [one for command in commands for one in command if isinstance(one, bytes)]
        request = {"source": self._source, "epoch": epoch, "commands": rows}
        if not _BOOL.decode(await self._call(_WRITE, request, *blobs)):
            raise RelayError(f"{self._source} was moved by somebody else: look at `relay shards list`")

    async def carry_state(self, epoch: int) -> None:
        """Copy what is known of the source and of its account: tokens, notes, gate, and when its last hook came.

        What is not known here is removed there: it is of an earlier time, when the source was that shard's.
        `epoch`: of the move.
        """
        queue, old = account_queue(self._source), self._old.keys
        await self._copy(epoch, [old.shared(note) for note in self._notes])
        await self._copy(epoch, [old.gate(queue), old.history(queue), old.outcomes(queue)])
        last_hooks = self._new.keys.last_hooks
        at = await run_command(self._old.client.hget(old.last_hooks, self._source))
        removed = ["HDEL", last_hooks, self._source]
        await self._write(epoch, [removed if at is None else ["HSET", last_hooks, self._source, at]])
        await self._new.registry.add_sources([self._source])

    async def carry_subscriptions(self, epoch: int) -> int:
        """Copy the subscriptions with the gates, histories and failures of their sinks. Returns how many there are.

        They stay in the old shard, too, for what is sent again there. Those that the new one has of an earlier time,
        and that are gone by now, are removed there.
        """
        found = {one.id: one for one in await self._old.subscriptions.list(self._source)}
        there = {one.id: one for one in await self._new.subscriptions.list(self._source)}
        old, shared = self._old.keys, self._new.keys.subscriptions
        for one in (there | found).values():
            queue = sink_queue(one.sink)
            await self._copy(
                epoch,
                [
                    old.gate(queue),
                    old.history(queue),
                    old.outcomes(one.sink),
                    old.window(queue),
                    old.failures_of(one.id),
                ],
            )
            place = f"{SubscriptionsField.PLACE}{one.id}"
            put = ["HSET", shared, place, f"{one.source} {one.url}"]
            await self._write(epoch, [put if one.id in found else ["HDEL", shared, place]])
        # Last: who repeats this finds by it what the new shard had.
        await self._copy(epoch, [old.subscriptions_of(self._source)])
        if there or found:
            await self._write(epoch, [["HINCRBY", shared, SubscriptionsField.VERSION, 1]])
        return len(found)

    async def _copy(self, epoch: int, keys: Sequence[str]) -> None:
        """Copy keys as they are, each with the time that it has left to live, over what is there; or to nothing."""
        for key in keys:
            async with self._old.client.pipeline(transaction=True) as pipe:
                pipe.dump(key)
                pipe.pttl(key)
                value, ttl = await run_command(pipe.execute())
            there = _under(self._new.keys, self._old.keys, key)
            removed = ["DEL", there]
            await self._write(epoch, [removed if value is None else ["RESTORE", there, max(ttl, 0), value, "REPLACE"]])

    async def running_jobs(self, jobs: Sequence[str]) -> list[str]:
        """Return which of some jobs a worker runs."""
        async with self._old.client.pipeline(transaction=True) as pipe:
            for job in jobs:
                pipe.zscore(self._old.keys.leased(JOBS), job)
            scores = await run_command(pipe.execute())
        return [job for job, score in zip(jobs, scores, strict=True) if score is not None]

    async def put_off_jobs(self, jobs: Sequence[str], until: int) -> None:
        """Let no worker begin jobs before a time. They stay: else a worker that knows an older list makes them anew."""
        due = self._old.keys.due(JOBS)
        await run_command(self._old.client.zadd(due, dict.fromkeys(jobs, until), xx=True, gt=True))

    async def end_jobs(self, jobs: Sequence[str]) -> None:
        """Remove the source's jobs from the old shard: the new one has its own."""
        keys, client = self._old.keys, self._old.client
        async with client.pipeline(transaction=True) as pipe:
            for job in jobs:
                pipe.delete(keys.job(job))
                pipe.zrem(keys.due(JOBS), job)
                pipe.zrem(keys.leased(JOBS), job)
            await run_command(pipe.execute())


def _under(new: Keys, old: Keys, key: str) -> Any:
    return new.prefix + key.removeprefix(old.prefix)


def _first_source(receipt: Receipt) -> str:
    """Return the source of the hook that a fact, or the one before it, refers to; of others their own."""
    while receipt.original is not None:
        receipt = receipt.original
    return receipt.source
