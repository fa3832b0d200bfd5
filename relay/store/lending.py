"""What the home of a sink lends to other shards: what may leave now, over all of them, is decided there.

A sink of the file has one home, whatever shard its deliveries are in: its gate, its limits and its concurrency are
there. A drainer of another shard borrows slots before it claims, and reports what became of them.
"""

from collections.abc import Mapping, Sequence

import msgspec
from redis.asyncio import Redis

from relay.model import Breaker
from relay.store.commands import run_command
from relay.store.connect import not_repeated
from relay.store.keys import Keys, sink_queue
from relay.store.scripts import GATES, Caller, Script
from relay.store.sync import Sync
from relay.store.wire.claims import ClaimRequest
from relay.store.wire.lending import LendReply, ReportRow, ReturnRequest

_SETTLING = ("_keyed", "_packed", "_breaker", "_settling")
_LEND = Script("lend", *GATES, *_SETTLING, "_limits", "_turns", "_deaths", "_claiming", "_lending")
_RETURN_LENT = Script("return_lent", *GATES, *_SETTLING, "_limits", "_turns", "_deaths", "_claiming", "_lending")
_LENT = msgspec.msgpack.Decoder(tuple[list[str], int, LendReply], strict=False)
_INT = msgspec.msgpack.Decoder(int)


class Lending:
    """The calls of other shards to the home of a sink. Every method raises StoreUnavailable.

    `sync`: with replicas, what is lent is on the disk of one before it is used: a failover lends it to nobody else.
    """

    def __init__(self, client: Redis, namespace: str, sync: Sync | None = None) -> None:
        self._sync = sync if sync and sync.replicas else None
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def lend(
        self, borrower: str, request: ClaimRequest, reports: Sequence[ReportRow], breaker: Breaker | None
    ) -> tuple[list[str], int, LendReply]:
        """Report what attempts came to, and borrow what may leave now; `borrower` is the shard.

        The request's token names what is lent; its lease is how long. Reports may be repeated.
        Returns what each reported delivery is to remember, where it was blocked; the place of the report, from 1, whose
        delivery is to be tried first, as the gate has closed now (0: none); and what is lent.
        """
        asked = {
            "queue": request.queue, "borrower": borrower, "reports": reports, "breaker": breaker, "claim": request,
        }  # fmt: skip
        with not_repeated():
            if self._sync and request.max:
                return _LENT.decode(await self._call.call_synced(_LEND, asked, sync=self._sync))
            return _LENT.decode(await self._call(_LEND, asked))

    async def give_back(self, request: ReturnRequest) -> int:
        """Give back what was lent and is not used. Returns how many slots of that were still lent."""
        return _INT.decode(await self._call(_RETURN_LENT, request))

    async def find_faults(self, sink: str, marks: Mapping[str, str]) -> set[str]:
        """Return which deliveries were blocked though another arrived after it: the fault is theirs.

        `marks`: what each remembers of it (`DeliveryField.BLOCKED`), by its id.
        """
        before = {id: mark.split("|", 1) for id, mark in marks.items()}
        queue = sink_queue(sink)
        names = [f"{queue}|{route}" if route else queue for _, route in before.values()]
        counts = await run_command(self._client.hmget(self._keys.openings, names)) if names else []
        return {
            id for (id, (openings, _)), count in zip(before.items(), counts, strict=True)
            if int(count or 0) > int(openings)
        }  # fmt: skip
