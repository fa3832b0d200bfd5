"""The store: every change of state is one atomic script, named after the transition."""

from collections.abc import Mapping, Sequence

import msgspec
from redis.asyncio import Redis

from relay.model import CompletedLookup, Delivery, DeliveryState, Receipt, RoutedReceipt
from relay.store.commands import run_command
from relay.store.keys import INBOX, JOBS, MARK_MS, Keys, sink_queue
from relay.store.operator_decision import apply_operator_decision
from relay.store.records import Accepted, Claim, Hook, Job, Settlement
from relay.store.scripts import Caller, Script
from relay.store.subscriptions import Subscriptions
from relay.store.wire import (
    ClaimReply,
    ClaimRequest,
    claimed_deliveries,
    claimed_receipts,
    hook_row,
    route_request,
    settle_request,
)

_ACCEPT, _SAVE_ROUTED = Script("accept"), Script("save_routed")
_CLAIM, _SETTLE = Script("claim", "_claiming"), Script("settle", "_settling")
_SETTLE_AND_CLAIM = Script("settle_and_claim", "_settling", "_claiming")
_COMPLETE_LOOKUPS, _MARK_SENDING = Script("complete_lookups"), Script("mark_sending")
_ENQUEUE_JOB, _FINISH_JOB = Script("enqueue_job"), Script("finish_job")
_APPLY_RETENTION, _SET_BELLS = Script("apply_retention"), Script("set_bells")

_ACCEPTED = msgspec.msgpack.Decoder(tuple[bool, list[tuple[str, bool]]])
_CLAIMED = msgspec.msgpack.Decoder(ClaimReply, strict=False)
_SETTLED_AND_CLAIMED = msgspec.msgpack.Decoder(tuple[list[str], ClaimReply], strict=False)
_ROUTED = msgspec.msgpack.Decoder(tuple[list[str], list[str]])
_STRINGS = msgspec.msgpack.Decoder(list[str])
_BOOL = msgspec.msgpack.Decoder(bool)
_BOOLS = msgspec.msgpack.Decoder(tuple[bool, bool])
_MARKED = msgspec.msgpack.Decoder(list[bool])
_INT = msgspec.msgpack.Decoder(int)


class Store:
    """The store of one relay. Every method is one script call and raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self.client = client
        self.namespace = namespace
        self.keys = Keys(namespace)
        self.subscriptions = Subscriptions(client, namespace)
        self._call = Caller(client, self.keys.prefix)

    async def accept(self, hooks: Sequence[Hook], late: Sequence[str] = ()) -> Accepted:
        """Store hooks, all in one write. `late`: receipts whose answer left too late."""
        request = {"mark_ms": MARK_MS, "hooks": list(map(hook_row, hooks)), "late": late}
        reply = await self._call(_ACCEPT, request, *[hook.body for hook in hooks])
        bell_set, answers = _ACCEPTED.decode(reply)
        return Accepted(bell_set=bell_set, answers=answers)

    async def claim_receipts(self, token: str, max: int, lease_ms: int) -> Claim[Receipt]:
        """Take receipts from the inbox."""
        claimed, blobs = await self._claimed(
            ClaimRequest(queue=INBOX, kind="r", token=token, max=max, lease_ms=lease_ms)
        )
        return claimed_receipts(claimed, token, blobs)

    async def claim_deliveries(self, request: ClaimRequest) -> Claim[Delivery]:
        """Take what a sink may be sent now (`of_sink`): free slots, rate and gate allowing."""
        claimed, blobs = await self._claimed(request)
        return claimed_deliveries(claimed, request.token, blobs)

    async def claim_lookups(self, queue: str, token: str, max: int, lease_ms: int) -> Claim[Delivery]:
        """Take deliveries that wait for a look-up, as the account's gate allows. Who asks the account has its limit."""
        request = ClaimRequest(queue=queue, kind="d", token=token, max=max, lease_ms=lease_ms)
        claimed, blobs = await self._claimed(request)
        return claimed_deliveries(claimed, token, blobs)

    async def claim_jobs(self, token: str, max: int, lease_ms: int) -> Claim[Job]:
        """Take background work."""
        claimed, _ = await self._claimed(ClaimRequest(queue=JOBS, kind="j", token=token, max=max, lease_ms=lease_ms))
        records = zip(claimed.ids, claimed.records, strict=True)
        jobs = [Job(id=id, kind=kind, args=args.encode(), token=token) for id, (_, kind, args) in records]
        return Claim(token=token, items=jobs, poisoned=claimed.poisoned, wait_ms=claimed.wait_ms)

    async def _claimed(self, request: ClaimRequest) -> tuple[ClaimReply, list[bytes]]:
        meta, *blobs = await self._call(_CLAIM, request)
        return _CLAIMED.decode(meta), blobs

    async def save_routed(self, token: str, parts: Sequence[RoutedReceipt]) -> tuple[list[str], list[str]]:
        """Write what became of receipts. Returns the queues that have work now, and the receipts not ours any more."""
        blobs: list[bytes] = []
        receipts = [route_request(part, blobs) for part in parts]
        reply = await self._call(_SAVE_ROUTED, {"token": token, "receipts": receipts}, *blobs)
        return _ROUTED.decode(reply)

    async def settle_and_claim(
        self, sink: str, items: Sequence[Settlement], counts: Mapping[str, int], request: ClaimRequest
    ) -> tuple[list[str], Claim[Delivery]]:
        """Settle, then claim for the slots which that made free: `settle` and `claim_deliveries` in one round trip."""
        both = {"settle": settle_request(sink_queue(sink), sink, items, counts), "claim": request}
        meta, *blobs = await self._call(_SETTLE_AND_CLAIM, both, *[item.attempt for item in items])
        answers, claimed = _SETTLED_AND_CLAIMED.decode(meta)
        return answers, claimed_deliveries(claimed, request.token, blobs)

    async def settle(self, sink: str, items: Sequence[Settlement], counts: Mapping[str, int]) -> list[str]:
        """Write what attempts came to. Answers "settled", "stale" (a newer lease decides) or "gone" for each."""
        return await self._settle(sink_queue(sink), sink, items, counts)

    async def postpone_lookups(self, queue: str, items: Sequence[Settlement]) -> list[str]:
        """Write that look-ups failed: each waits, under the queue's own name in the counters. Answers as `settle`."""
        assert all(item.decision.state is DeliveryState.PENDING for item in items)
        return await self._settle(queue, queue, items, {})

    async def _settle(
        self, queue: str, counted: str, items: Sequence[Settlement], counts: Mapping[str, int]
    ) -> list[str]:
        settled = settle_request(queue, counted, items, counts)
        return _STRINGS.decode(await self._call(_SETTLE, settled, *[item.attempt for item in items]))

    async def complete_lookups(self, queue: str, items: Sequence[CompletedLookup]) -> tuple[list[str], list[str]]:
        """Move deliveries on whose look-up is answered. Returns the queues that have work now, and those not ours."""
        moved = [(item.delivery.id, item.delivery.token, item.state, item.reason) for item in items]
        reply = await self._call(_COMPLETE_LOOKUPS, {"queue": queue, "items": moved}, *[item.content for item in items])
        return _ROUTED.decode(reply)

    async def mark_sending(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Mark that the bytes of each are about to leave. False: its lease is lost, and nothing may leave."""
        items = [(delivery.id, delivery.token) for delivery in deliveries]
        return _MARKED.decode(await self._call(_MARK_SENDING, {"items": items}))

    async def confirm(self, id: str, by: str) -> str | None:
        """Settle a held delivery as delivered: `by` saw that it arrived. Returns why not, where it was not done."""
        return await apply_operator_decision(self._call, id, "confirm", by)

    async def resend(self, id: str, by: str) -> str | None:
        """Send a held or finished delivery once more, with all its attempts. Returns why not, where it was not done.

        No bell is set: a ticker will find it.
        """
        return await apply_operator_decision(self._call, id, "resend", by)

    async def enqueue_job(self, id: str, kind: str, args: bytes = b"{}", delay_ms: int = 0) -> bool:
        """Make a job unless it is there. Returns whether its bell wants publishing."""
        request = {"id": id, "kind": kind, "args": args.decode(), "delay_ms": delay_ms}
        bell_set, _ = _BOOLS.decode(await self._call(_ENQUEUE_JOB, request))
        return bell_set

    async def finish_job(self, job: Job, again_ms: int | None, args: bytes | None = None) -> bool:
        """End a job's run: gone, or due again after `again_ms`. False: the lease was lost."""
        request = {
            "id": job.id,
            "token": job.token,
            "args": (args or job.args).decode(),
            "again_ms": -1 if again_ms is None else again_ms,
        }
        return _BOOL.decode(await self._call(_FINISH_JOB, request))

    async def apply_retention(self, finished_ms: int, dead_ms: int, count: int, max: int = 100) -> int:
        """Remove finished receipts over their age or over the count, oldest first. Returns how many, at most `max`."""
        request = {"finished_ms": finished_ms, "dead_ms": dead_ms, "count": count, "max": max}
        return _INT.decode(await self._call(_APPLY_RETENTION, request))

    async def set_bells(self) -> list[str]:
        """Set the bells of all queues that are worth a look now. Returns those whose bell this call set."""
        return _STRINGS.decode(await self._call(_SET_BELLS, {}))

    async def register_sinks(self, sinks: Mapping[str, str]) -> None:
        """Remember the sinks, name -> type: one that leaves the configuration keeps its deliveries, as an orphan."""
        if sinks:
            items = [text for pair in sinks.items() for text in pair]
            await run_command(self.client.hset(self.keys.sinks, items=items))

    async def clear_bell(self, queue: str) -> None:
        """Delete a bell: its message was received, or could not be published."""
        await run_command(self.client.delete(self.keys.bell(queue)))
