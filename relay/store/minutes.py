"""What was counted in each of the last minutes: samples of the counters that scripts keep anyway.

They are taken by a job, so that no hook and no delivery costs the store more because of them.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from redis.asyncio import Redis

from relay.facts.kinds import OWN_SOURCE
from relay.model import Record
from relay.store.commands import run_command
from relay.store.fields import Counter
from relay.store.keys import Keys
from relay.store.reader import Reader
from relay.store.scripts import Caller, Script

MINUTE_MS: Final = 60_000
KEPT: Final = 180  # samples: three hours
FAILED: Final = ("retry", "unknown", "rejected", "blocked")  # outcomes
_SAVE = Script("save_minute")


class Totals(Record):
    """All that was ever counted, by source and by sink."""

    receipts: Mapping[str, int] = {}
    delivered: Mapping[str, int] = {}
    failed: Mapping[str, int] = {}  # attempts


class MinuteRow(Record):
    """What was counted in `over` minutes, the last of which is `minute` (since the epoch); what is 0 is left out."""

    minute: int
    over: int
    config: str  # version of the configuration that was in force at its end
    counts: Totals


class Minutes:
    """The samples of one relay. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._reader = Reader(client, namespace)
        self._call = Caller(client, self._keys.prefix)

    async def sample(self, config: str) -> None:
        """Write what was counted since the last sample, where a minute has ended since."""
        known = await run_command(self._client.get(self._keys.totals))
        counters, now = await self._reader.counters(), await self._reader.now()
        minute, totals = now // MINUTE_MS - 1, read_totals(counters)
        after, _, packed = (known or b"0|").partition(b"|")
        row = b""
        if packed:
            over = minute - int(after)
            if over <= 0:
                return
            counts = subtract(totals, _TOTALS.decode(packed))
            row = msgspec.json.encode(MinuteRow(minute=minute, over=over, config=config, counts=counts))
        request = {"after": int(after), "kept": KEPT}
        await self._call(_SAVE, request, b"%d|%b" % (minute, msgspec.json.encode(totals)), row)

    async def read(self, most: int) -> list[MinuteRow]:
        """Read the newest samples, newest first."""
        rows = await run_command(self._client.lrange(self._keys.minutes, 0, most - 1))
        return [_ROW.decode(row) for row in rows]


def read_totals(counters: Mapping[tuple[str, ...], int]) -> Totals:
    """Return what the counters say of receipts by source, and of deliveries and failed attempts by sink. Pure."""
    receipts: dict[str, int] = {}
    delivered: dict[str, int] = {}
    failed: dict[str, int] = {}
    for name, count in counters.items():
        match name:
            case (Counter.RECEIPT, source, "accepted" | "recovered") if source != OWN_SOURCE:  # facts are no hooks
                receipts[source] = receipts.get(source, 0) + count
            case (Counter.DELIVERY, sink, "delivered"):
                delivered[sink] = count
            case (Counter.ATTEMPT, sink, outcome) if outcome in FAILED and ":" not in sink:
                failed[sink] = failed.get(sink, 0) + count
    return Totals(receipts=receipts, delivered=delivered, failed=failed)


def subtract(now: Totals, before: Totals) -> Totals:
    """Return by how much each count has grown; what has not is left out. Pure."""

    def grown(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
        return {name: more for name, count in now.items() if (more := count - before.get(name, 0)) > 0}

    return Totals(
        receipts=grown(now.receipts, before.receipts),
        delivered=grown(now.delivered, before.delivered),
        failed=grown(now.failed, before.failed),
    )


_TOTALS, _ROW = msgspec.json.Decoder(Totals), msgspec.json.Decoder(MinuteRow)
