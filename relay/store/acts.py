"""What people do to single deliveries, and the audit of all that people did."""

from enum import StrEnum

import msgspec
from redis.asyncio import Redis

from relay.model import NewDelivery, Record, RoutedReceipt
from relay.store.commands import run_command
from relay.store.keys import Keys, sink_queue
from relay.store.packed import Packing
from relay.store.requests import routed_row
from relay.store.scripts import GATES, Caller, Script
from relay.store.wire.acts import ActAnswer, ReplayAnswer

_ACT_ON_DELIVERY = Script("act_on_delivery", "_acting", "_packed", "_keyed")
_SET_PAUSE = Script("set_pause", *GATES, "_acting")
_SAVE_REPLAYED = Script("save_replayed", "_jobs", "_keyed", "_routing", "_acting", "_packed")
_NOTE_ACT = Script("note_act", "_acting")
_REPLAYED = msgspec.msgpack.Decoder(ReplayAnswer)
_PAUSED = msgspec.msgpack.Decoder(tuple[bool, str, str])
_ANSWER = msgspec.msgpack.Decoder(ActAnswer)


class Act(StrEnum):
    """What a person may do to a delivery."""

    RETRY = "retry"  # a pending one is due at once
    CANCEL = "cancel"  # it is not sent, or not sent again
    CONFIRM = "confirm"  # a held one arrived: the person saw it
    RESEND = "resend"  # one that is held or at its end is sent once more, the same bytes
    RENDER = "render"  # likewise, with what today's configuration makes of it, under a new key
    MOVE = "move"  # to another sink of its type, in its state


class Author(Record):
    """Who acts, and why; of which bulk action the act is a part, and how a done one is called in the list of that."""

    by: str
    why: str = ""
    action: str = ""
    noted: str = "done"


class AuditEntry(Record):
    """An act: who did what to what, why and when, and the state before it."""

    id: str  # of the entry, by time
    at: int  # epoch milliseconds
    act: str
    what: str  # "delivery <id>", "sink <name>"…
    before: str
    by: str
    why: str


class Acts:
    """The acts on one relay's store. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)
        self._packing = Packing(client, namespace)

    async def act_on_delivery(self, id: str, act: Act, author: Author) -> ActAnswer:
        """Do it where the delivery's state allows it, in one call. What is due by that wakes a listener."""
        return await self._act(id, act, author)

    async def render(
        self, id: str, author: Author, anew: NewDelivery, queue: str, config: str, *, force: bool = False
    ) -> ActAnswer:
        """Send what a configuration of this version makes of a delivery now; `queue`: where it waits first.

        `force`: though it is delivered.
        """
        return await self._act(id, Act.RENDER, author, anew.content, queue=queue, config=config, force=force)

    async def move(self, id: str, author: Author, to: str, type: str, planned: NewDelivery | None) -> ActAnswer:
        """Put a delivery into a sink of this type. `planned`: what routing would make of its event for that sink."""
        places = {"planned": "", "once": False} if planned is None else {"planned": planned.id, "once": planned.once}
        return await self._act(id, Act.MOVE, author, to=to, type=type, **places)

    async def _act(self, id: str, act: Act, author: Author, *content: bytes, **more: object) -> ActAnswer:
        request = {"id": id, "act": act, **describe_author(author), **more}
        answer = _ANSWER.decode(await self._call(_ACT_ON_DELIVERY, request, *content))
        while answer.code == "packed":
            await self._packing.unpack_deliveries([id])
            answer = _ANSWER.decode(await self._call(_ACT_ON_DELIVERY, request, *content))
        return answer

    async def replay(self, part: RoutedReceipt, author: Author) -> ReplayAnswer:
        """Write what a receipt that was routed before comes to now, or a part of that that fits one call.

        What is there already stays as it is, so a repeated call makes nothing.
        """
        blobs: list[bytes] = []
        row = routed_row(part, blobs)
        request = {"receipt": row, **describe_author(author)}
        answer = _REPLAYED.decode(await self._call(_SAVE_REPLAYED, request, *blobs))
        while answer.code == "packed":
            await self._packing.unpack_receipt(part.receipt.id)
            answer = _REPLAYED.decode(await self._call(_SAVE_REPLAYED, request, *blobs))
        return answer

    async def pause(self, sink: str, author: Author, until: int | None) -> tuple[bool, str, str]:
        """Let nothing leave for a sink, until a time or until a person resumes it.

        Returns whether it was done; where it is paused already, by whom and why; by nobody where its subscription is
        disabled.
        """
        return await self._set_pause(sink, "pause", author, until or 0)

    async def resume(self, sink: str, author: Author) -> tuple[bool, str]:
        """End the pause of a sink, and open what its answers closed.

        Returns whether anything kept it back; where it is paused as its subscription is disabled, why that is.
        """
        done, _, why = await self._set_pause(sink, "resume", author, 0)
        return done, why

    async def _set_pause(self, sink: str, act: str, author: Author, until: int) -> tuple[bool, str, str]:
        request = {"queue": sink_queue(sink), "what": f"sink {sink}", "act": act, "until_ms": until}
        return _PAUSED.decode(await self._call(_SET_PAUSE, {**request, **describe_author(author)}))

    async def note(self, act: str, what: str, author: Author, before: str = "") -> None:
        """Write into the audit what no other script writes: that people were shown unmasked, a subscription made."""
        request = {"act": act, "what": what, "before": before, "by": author.by, "why": author.why}
        await self._call(_NOTE_ACT, request)

    async def audit(self, limit: int, before: str | None = None) -> list[AuditEntry]:
        """Return the newest acts, the newest first; `before`: only those older than this entry."""
        highest = "+" if before is None else f"({before}"
        found = await run_command(self._client.xrevrange(self._keys.audit, highest, "-", count=limit))
        return [_read_entry(id.decode(), fields) for id, fields in found]


def describe_author(author: Author) -> dict[str, str]:
    """Return an author as the scripts take one."""
    return {"by": author.by, "why": author.why, "action": author.action, "noted": author.noted}


def _read_entry(id: str, fields: dict[bytes, bytes]) -> AuditEntry:
    row = {name.decode(): value.decode() for name, value in fields.items()}
    return AuditEntry(
        id=id,
        at=int(id.partition("-")[0]),
        act=row["act"],
        what=row["what"],
        before=row["before"],
        by=row["by"],
        why=row["why"],
    )
