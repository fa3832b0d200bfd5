"""The store: every change of state is one atomic script, named after the transition."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import redis.exceptions
from msgspec.structs import replace
from redis.asyncio import Redis

from relay import __version__
from relay.errors import StoreUnavailable
from relay.model import Breaker, CompletedLookup, Delivery, DeliveryState, Receipt, RoutedReceipt
from relay.store.actions import Actions
from relay.store.acts import Acts
from relay.store.clock import clock_of
from relay.store.commands import run_command
from relay.store.connect import not_repeated
from relay.store.erasing import Erasing
from relay.store.fields import Counter
from relay.store.health import MemoryUse
from relay.store.keys import INBOX, JOBS, Keys, sink_queue
from relay.store.lending import Lending
from relay.store.packed import Packing
from relay.store.put_off import PutOff
from relay.store.raw_receipts import RawReceipts
from relay.store.records import DUPLICATE_MS, Accepted, Claim, Hook, Job, LateAnswer, Settlement
from relay.store.registry import Registry
from relay.store.replies import claimed_deliveries, claimed_jobs, claimed_receipts, made_claims
from relay.store.requests import (
    claim_again,
    hook_row,
    lease_rows,
    lookup_row,
    routed_row,
    settle_request,
)
from relay.store.retention import Retention
from relay.store.scripts import GATES, Caller, Script
from relay.store.subscriptions import Subscriptions
from relay.store.sync import Sync
from relay.store.wake_ups import WakeUps
from relay.store.wire.claims import ClaimedDelivery, ClaimedJob, ClaimedReceipt, ClaimReply, ClaimRequest
from relay.store.wire.lending import Granted
from relay.store.wire.looks import LookReply
from relay.store.wire.routing import RoutedReply
from relay.store.wire.settling import SettleRequest

NOTHING_GRANTED = Granted(slots=0, wait_ms=0, at=0)

_ACCEPT = Script("accept", "_packed")
_CLAIMING, _SETTLING = ("_limits", "_turns", "_deaths", "_claiming"), ("_keyed", "_packed", "_breaker", "_settling")
_SAVE_ROUTED = Script("save_routed", "_limits", "_jobs", "_keyed", "_routing")
_CLAIM, _SETTLE = Script("claim", *GATES, "_keyed", *_CLAIMING), Script("settle", *GATES, *_SETTLING)
_SETTLE_AND_CLAIM = Script("settle_and_claim", *GATES, *_SETTLING, *_CLAIMING)
_SETTLE_GRANTED = Script("settle_granted", *GATES, *_SETTLING, "_granted")
_SETTLE_AND_CLAIM_GRANTED = Script("settle_and_claim_granted", *GATES, *_SETTLING, *_CLAIMING, "_granted")
_COMPLETE_LOOKUPS = Script("complete_lookups", *GATES, "_keyed")
_MARK_SENDING = Script("mark_sending", "_keyed")
_ENQUEUE_JOB, _FINISH_JOB = Script("enqueue_job", "_jobs"), Script("finish_job")
_LEAVE_RECEIPTS, _END_FACT_GROUPS = Script("leave_receipts"), Script("end_fact_groups")
_LOOK, _END_LEASES = Script("look"), Script("end_leases")
_NOTE_STALL, _NOTE_MEMORY = Script("note_stall"), Script("note_memory")

# Fields of hashes come as text, numbers and flags too: hence not strict.
_CLAIMED_RECEIPTS = msgspec.msgpack.Decoder(ClaimReply[ClaimedReceipt], strict=False)
_CLAIMED_DELIVERIES = msgspec.msgpack.Decoder(ClaimReply[ClaimedDelivery], strict=False)
_CLAIMED_JOBS = msgspec.msgpack.Decoder(ClaimReply[ClaimedJob], strict=False)
_SETTLED_AND_GRANTED = msgspec.msgpack.Decoder(
    tuple[list[str], ClaimReply[ClaimedDelivery], list[tuple[str, str]]], strict=False
)
_SETTLED_AND_CLAIMED = msgspec.msgpack.Decoder(tuple[list[str], ClaimReply[ClaimedDelivery]], strict=False)
_ACCEPTED = msgspec.msgpack.Decoder(tuple[bool, list[tuple[str, bool]], list[str]])
_ROUTED = msgspec.msgpack.Decoder(RoutedReply)
_QUEUES_AND_STALE = msgspec.msgpack.Decoder(tuple[list[str], list[str]])
_STRINGS = msgspec.msgpack.Decoder(list[str])
_BOOL = msgspec.msgpack.Decoder(bool)
_LOOKED = msgspec.msgpack.Decoder(LookReply)
_BOOLS = msgspec.msgpack.Decoder(list[bool])
_INT = msgspec.msgpack.Decoder(int)


class Store:
    """The store of one relay. Every method is one script call and raises StoreUnavailable.

    `sync`: where hooks and marks must be on disk before they count; None: wherever the store puts them.
    """

    def __init__(self, client: Redis, namespace: str = "relay", sync: Sync | None = None) -> None:
        self.client = client
        self._sync = sync
        self.namespace = namespace
        self.keys = Keys(namespace)
        self.subscriptions = Subscriptions(client, namespace)
        self.put_off = PutOff(client, namespace)
        self.packing = Packing(client, namespace)
        self.lending = Lending(client, namespace, sync)
        self.erasing = Erasing(client, namespace)
        self.retention = Retention(client, namespace)
        self.registry = Registry(client, namespace)
        self.acts = Acts(client, namespace)
        self.actions = Actions(client, namespace)
        self.clock = clock_of(client)
        self._call = Caller(client, self.keys.prefix)
        self._raw = RawReceipts(client, self.keys)

    def of_source(self, source: str) -> "Store":  # noqa: ARG002  there is one shard
        """Return the shard that has a source (`relay.store.stores` has several)."""
        return self

    async def accept(self, hooks: Sequence[Hook], answered_late: Sequence[LateAnswer] = ()) -> Accepted:
        """Store hooks, all in one write. `answered_late`: earlier ones that amoCRM sends again."""
        request = {"duplicate_ms": DUPLICATE_MS, "hooks": list(map(hook_row, hooks)), "answered_late": answered_late}
        reply = await self._call_synced(_ACCEPT, request, *[hook.body for hook in hooks])
        bell_set, answers, missing = _ACCEPTED.decode(reply)
        return Accepted(bell_set=bell_set, answers=answers, missing=missing)

    async def _call_synced(self, script: Script, request: object, *blobs: bytes) -> Any:
        if self._sync is None:
            return await self._call(script, request, *blobs)
        return await self._call.call_synced(script, request, *blobs, sync=self._sync)

    async def _call_leaving(self, leaves: bool, script: Script, request: object, *blobs: bytes) -> Any:
        """Call a script that claims. What no replica has may not leave: a failover would forget the hook itself.

        Its repetition would then be another receipt, and go out under another key. `leaves`: it claims deliveries.
        """
        if self._sync is None or not self._sync.replicas or not leaves:
            return await self._call(script, request, *blobs)
        return await self._call.call_synced(script, request, *blobs, sync=self._sync)

    async def claim_receipts(self, token: str, max: int, lease_ms: int, unheard: Sequence[str] = ()) -> Claim[Receipt]:
        """Take receipts from the inbox, the facts among them with the hooks that they refer to."""
        request = ClaimRequest(queue=INBOX, kind="r", token=token, max=max, lease_ms=lease_ms, unheard=unheard)
        request, (reply, version, *bodies) = await self._claim(request)
        claimed = _CLAIMED_RECEIPTS.decode(reply)
        self.clock.note(claimed.store_ms)
        claim = claimed_receipts(claimed, request.token, bodies, version)
        return replace(claim, items=await self._raw.add_originals(claim.items))

    async def _claim(self, request: ClaimRequest) -> tuple[ClaimRequest, list[Any]]:
        """Claim, and once more where the connection was closed: under a token of its own, so that nothing is lost."""
        try:
            with not_repeated():
                return request, await self._call_leaving(request.kind == "d", _CLAIM, request)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, redis.exceptions.ConnectionError):
                raise
        again = claim_again(request)
        with not_repeated():
            return again, await self._call_leaving(again.kind == "d", _CLAIM, again)

    async def leave_receipts(self, token: str, ids: Sequence[str], most_ms: int) -> list[str]:
        """Give back receipts that wait for a worker which knows more. Returns those that have waited for so long."""
        return _STRINGS.decode(await self._call(_LEAVE_RECEIPTS, {"token": token, "ids": ids, "most_ms": most_ms}))

    async def claim_deliveries(self, request: ClaimRequest) -> Claim[Delivery]:
        """Take what a sink may be sent now (`sink_claim_request`): free slots, rate and gate allowing."""
        request, (reply, _, *contents) = await self._claim(request)
        claimed = _CLAIMED_DELIVERIES.decode(reply)
        self.clock.note(claimed.store_ms)
        return claimed_deliveries(claimed, request.token, contents)

    async def claim_lookups(
        self, queue: str, token: str, max: int, lease_ms: int, unheard: Sequence[str] = ()
    ) -> Claim[Delivery]:
        """Take deliveries that wait for a look-up, as the account's gate allows. The account's client has its limit."""
        return await self.claim_deliveries(
            ClaimRequest(queue=queue, kind="d", token=token, max=max, lease_ms=lease_ms, unheard=unheard)
        )

    async def claim_jobs(self, token: str, max: int, lease_ms: int, unheard: Sequence[str] = ()) -> Claim[Job]:
        """Take background work."""
        request = ClaimRequest(queue=JOBS, kind="j", token=token, max=max, lease_ms=lease_ms, unheard=unheard)
        request, (reply, _) = await self._claim(request)
        claimed = _CLAIMED_JOBS.decode(reply)
        self.clock.note(claimed.store_ms)
        return claimed_jobs(claimed, request.token)

    async def save_routed(self, token: str, parts: Sequence[RoutedReceipt]) -> tuple[list[str], list[str]]:
        """Write what became of receipts.

        Returns the queues that have work now, and the receipts that `token` does not hold any more.
        """
        reply = await self._save_routed(token, parts, ())
        return reply.queues, reply.stale

    async def save_routed_and_claim(
        self,
        token: str,
        parts: Sequence[RoutedReceipt],
        claims: Sequence[ClaimRequest],
        most_pending: Mapping[str, int] | None = None,
    ) -> tuple[list[str], list[str], list[Claim[Delivery]]]:
        """Do the same, and claim of sinks what is made for them, where nothing else of theirs is due (`ClaimRequest`).

        Returns a claim for each request, too; one that took nothing says nothing of what there is to take.
        `most_pending`: how many pending deliveries sinks may have, where that is known here.
        """
        with not_repeated():
            reply = await self._save_routed(token, parts, claims, most_pending)
        self.clock.note(reply.store_ms)
        return reply.queues, reply.stale, made_claims(reply, claims, parts)

    async def _save_routed(
        self,
        token: str,
        parts: Sequence[RoutedReceipt],
        claims: Sequence[ClaimRequest],
        most_pending: Mapping[str, int] | None = None,
    ) -> RoutedReply:
        blobs: list[bytes] = []
        receipts = [routed_row(part, blobs) for part in parts]
        request = {"token": token, "receipts": receipts, "claims": claims, "most_pending": most_pending or {}}
        return _ROUTED.decode(await self._call_leaving(bool(claims), _SAVE_ROUTED, request, *blobs))

    async def settle_and_claim(
        self,
        sink: str,
        items: Sequence[Settlement],
        counts: Mapping[str, int],
        request: ClaimRequest,
        breaker: Breaker | None = None,
        begun: Sequence[Delivery] = (),
    ) -> tuple[list[str], Claim[Delivery]]:
        """Settle, then claim for the slots that this made free: `settle` and `claim_deliveries` in one round trip."""
        settling = settle_request(sink_queue(sink), sink, items, counts, breaker, begun=begun)
        both = {"settle": settling, "claim": request}
        with not_repeated():
            attempts = [item.attempt for item in items]
            reply, *contents = await self._call_leaving(True, _SETTLE_AND_CLAIM, both, *attempts)
        answers, claimed = _SETTLED_AND_CLAIMED.decode(reply)
        self.clock.note(claimed.store_ms)
        answers = await self._settle_packed(settling, items, answers)
        return answers, claimed_deliveries(claimed, request.token, contents)

    async def settle(
        self,
        sink: str,
        items: Sequence[Settlement],
        counts: Mapping[str, int],
        breaker: Breaker | None = None,
        begun: Sequence[Delivery] = (),
    ) -> list[str]:
        """Write what attempts came to. Returns "settled", "stale" (a newer lease decides) or "gone" for each.

        `begun`: what was claimed ahead and takes over the slot of one of them, or is one of them.
        """
        return await self._settle(settle_request(sink_queue(sink), sink, items, counts, breaker, begun=begun), items)

    async def settle_granted(
        self, sink: str, items: Sequence[Settlement], counts: Mapping[str, int], blocked: Mapping[str, str]
    ) -> list[str]:
        """Write what attempts came to of a sink whose home is another shard, and knows it (`Lending`). As `settle`.

        `blocked`: what deliveries are to remember that were blocked, by their ids.
        """
        settling = settle_request(sink_queue(sink), sink, items, counts)
        request = {"settle": settling, "granted": NOTHING_GRANTED, "blocked": blocked}
        answers = _STRINGS.decode(await self._call(_SETTLE_GRANTED, request, *[item.attempt for item in items]))
        return await self._settle_packed(settling, items, answers)

    async def settle_and_claim_granted(
        self,
        sink: str,
        items: Sequence[Settlement],
        counts: Mapping[str, int],
        request: ClaimRequest,
        granted: Granted,
        blocked: Mapping[str, str],
    ) -> tuple[list[str], Claim[Delivery], dict[str, str]]:
        """Do the same, then claim what the home of the sink has granted.

        Returns also what those remember that were blocked before, by their ids: the home knows who is at fault.
        """
        settling = settle_request(sink_queue(sink), sink, items, counts)
        both = {"settle": settling, "claim": request, "granted": granted, "blocked": blocked}
        with not_repeated():
            attempts = [item.attempt for item in items]
            reply, *contents = await self._call_leaving(True, _SETTLE_AND_CLAIM_GRANTED, both, *attempts)
        answers, claimed, marks = _SETTLED_AND_GRANTED.decode(reply)
        self.clock.note(claimed.store_ms)
        answers = await self._settle_packed(settling, items, answers)
        return answers, claimed_deliveries(claimed, request.token, contents), dict(marks)

    async def count_due(self, sink: str) -> int:
        """Return how many deliveries of a sink are due, by the clock as it is known here."""
        due: int = await run_command(self.client.zcount(self.keys.due(sink_queue(sink)), "-inf", self.clock.ms()))
        return due

    async def postpone_lookups(self, queue: str, items: Sequence[Settlement], *, asked: bool) -> list[str]:
        """Write that look-ups wait, under the queue's own name in the counters. Returns as `settle`.

        `asked`: the account was asked, and did not answer.
        """
        assert all(item.decision.state is DeliveryState.PENDING for item in items)
        return await self._settle(settle_request(queue, queue, items, {}, in_vain=asked), items)

    async def _settle(self, request: SettleRequest, items: Sequence[Settlement]) -> list[str]:
        answers = _STRINGS.decode(await self._call(_SETTLE, request, *[item.attempt for item in items]))
        return await self._settle_packed(request, items, answers)

    async def _settle_packed(
        self, request: SettleRequest, items: Sequence[Settlement], answers: list[str]
    ) -> list[str]:
        """Settle what was packed, after a worker that speaks hours late: as it was before. Returns all answers."""
        places = [place for place, answer in enumerate(answers) if answer == "packed"]
        if not places:
            return answers
        late = [items[place] for place in places]
        await self.packing.unpack_deliveries([item.delivery.id for item in late])
        rows = [request.items[place] for place in places]
        again = replace(request, items=rows, counts={} if len(late) < len(items) else request.counts, begun=[])
        settled = dict(zip(places, await self._settle(again, late), strict=True))
        return [settled.get(place, answer) for place, answer in enumerate(answers)]

    async def complete_lookups(self, queue: str, items: Sequence[CompletedLookup]) -> tuple[list[str], list[str]]:
        """Move deliveries whose look-up is answered to their sinks' queues, or end them.

        Returns the queues that have work now, and the deliveries that their tokens do not hold any more.
        """
        request = {"queue": queue, "items": list(map(lookup_row, items))}
        reply = await self._call(_COMPLETE_LOOKUPS, request, *[item.content for item in items])
        return _QUEUES_AND_STALE.decode(reply)

    async def mark_sending(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Mark that the bytes of each are about to leave. False: its lease is lost, or it is cancelled: nothing may."""
        return _BOOLS.decode(await self._call_synced(_MARK_SENDING, {"items": lease_rows(deliveries)}))

    async def enqueue_job(self, id: str, kind: str, args: bytes = b"{}", delay_ms: int = 0) -> None:
        """Make a job unless it is there. No bell is set: a listener is woken, or a ticker will find it."""
        request = {"id": id, "kind": kind, "args": args.decode(), "delay_ms": delay_ms}
        await self._call(_ENQUEUE_JOB, request)

    async def finish_job(self, job: Job, again_ms: int | None) -> bool:
        """End a job's run: it is gone, or due again after `again_ms`. False: the lease was lost."""
        request = {"id": job.id, "token": job.token, "again_ms": -1 if again_ms is None else again_ms}
        return _BOOL.decode(await self._call(_FINISH_JOB, request))

    async def look(
        self, worker: str, jobs: Sequence[str] = (), *, silent_ms: int = 0, since: int = 0, listens: bool = False
    ) -> LookReply:
        """Write that a worker of this version lives, and find the queues that are worth a look now.

        `listens`: it takes wake-ups (`open_wake_ups`), and is known to for the next three seconds.
        `jobs`: those that are to run for ever. `silent_ms`: for how long another worker was not seen, to be named.
        `since`: since when the store was in use at the last look; 0: this is the first.
        """
        request = {"worker": worker, "version": __version__, "listens": listens, "jobs": jobs}
        request |= {"silent_ms": silent_ms, "since": since}
        return _LOOKED.decode(await self._call(_LOOK, request))

    async def end_leases(self, worker: str, *, sending: bool) -> int:
        """Let the leases of a worker that is gone run out now. Returns how many.

        `sending`: those of sinks too. Their bytes may have left, so its process must have ended for certain.
        """
        return _INT.decode(await self._call(_END_LEASES, {"worker": worker, "sending": sending}))

    async def note_stall(self, worker: str, part: str) -> None:
        """Write that a part of a worker stood still, for `Reader.stalls`."""
        await self._call(_NOTE_STALL, {"worker": worker, "part": part})

    async def note_memory(self, memory: MemoryUse) -> None:
        """Write how full the store is, unless that was written within the hour (`read_memory_samples`)."""
        await self._call(_NOTE_MEMORY, {"used": memory.used, "limit": memory.limit})

    async def forget_worker(self, name: str) -> None:
        """Write that a worker has ended."""
        async with self.client.pipeline(transaction=True) as pipe:
            pipe.zrem(self.keys.listeners, name)
            pipe.zrem(self.keys.workers, name)
            await run_command(pipe.execute())

    async def open_wake_ups(self, worker: str) -> WakeUps:
        """Take what the scripts tell a worker, over a connection of its own; the caller closes it."""
        return await WakeUps.open(self.client, self.keys.wake_ups(worker))

    async def clear_bell(self, *queues: str) -> None:
        """Delete the bells of queues: their messages were received, or could not be published."""
        await run_command(self.client.delete(*map(self.keys.bell, queues)))

    async def count_refused(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add up refused hooks, by source ("" where there is none of that name) and reason."""
        async with self.client.pipeline(transaction=False) as pipe:
            for (source, reason), n in counts.items():
                pipe.hincrby(self.keys.stats, f"{Counter.REFUSED}|{source}|{reason}", n)
            await run_command(pipe.execute())

    async def end_fact_groups(self) -> int:
        """Tell what was counted of facts that are alike, where their windows have ended. Returns how many it told."""
        return _INT.decode(await self._call(_END_FACT_GROUPS, {}))
