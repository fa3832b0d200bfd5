"""Count how often fields are empty in a sample of what arrives, apart from all that takes hooks and delivers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from relay.live_config import LiveConfig
from relay.model import Receipt
from relay.operations.field_days import FieldDays, FieldReach, day_of
from relay.operations.field_findings import read_findings
from relay.planning.field_counts import FieldCounts, WatchedRoute, count_fields, watched_routes
from relay.store.arrivals import read_arrivals
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.shared_state import SharedState
from relay.store.store import Store

COUNT_FIELDS: Final = "count-fields"  # kind of the job, as it is stored
SAMPLE: Final = 200  # receipts of a run; of what arrives beside them within WINDOW_MS nothing is counted
WINDOW_MS: Final = 3_600_000  # so a relay that has stored hooks before counts them an hour at a time
SETTLED_MS: Final = 2_000
EVERY_MS: Final = 60_000
CONCLUDE_EVERY_MS: Final = 3_600_000


class FieldCounter:
    """The function of a job."""

    def __init__(self, live: LiveConfig, store: Store) -> None:
        self._live = live
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._shared = SharedState(store.client, store.namespace)
        self._days = FieldDays(self._shared)
        self._watched: tuple[str, Mapping[str, Sequence[WatchedRoute]]] = ("", {})

    async def count(self, _: Job) -> int:
        """Count a sample of what has arrived; it is due again at once where there is more."""
        more = await self.count_sample(await self._reader.now() - SETTLED_MS)
        if more:
            return 0
        found, now = await read_findings(self._shared), self._store.clock.ms()
        if now - found.at >= CONCLUDE_EVERY_MS or found.version != self._live.config.version:
            await self._days.conclude(self._live.config, self._fields())
        return EVERY_MS

    async def count_sample(self, until: int) -> bool:
        """Count some of what arrived until a time. Returns whether there may be more."""
        reach = await self._days.reach()
        arrived = await read_arrivals(self._store.client, self._store.keys, (reach.score, reach.member), until, SAMPLE)
        if not arrived:
            return False
        ids = await self._reader.harmless([id for id, _ in arrived])
        receipts = await self._reader.raw_receipts(ids)
        counts = await asyncio.to_thread(self._count, list(receipts.values()))
        last, score = arrived[-1]
        more = len(arrived) == SAMPLE
        if more and (passed := min(arrived[0][1] + WINDOW_MS, until)) > score:
            last, score = "", passed
        await self._days.add(counts, FieldReach(score=score, member=last))
        return more and score < until

    def _count(self, receipts: Sequence[Receipt]) -> dict[tuple[str, str], FieldCounts]:
        config, fields = self._live.config, self._fields()
        grouped: dict[tuple[str, str], list[Receipt]] = {}
        for receipt in receipts:
            if fields.get(receipt.source):
                day = day_of(receipt.received_at, config.sources[receipt.source].timezone)
                grouped.setdefault((receipt.source, day), []).append(receipt)
        return {key: count_fields(some, config, fields[key[0]]) for key, some in grouped.items()}

    def _fields(self) -> Mapping[str, Sequence[WatchedRoute]]:
        config = self._live.config
        if self._watched[0] != config.version:
            self._watched = (config.version, {source: watched_routes(config, source) for source in config.sources})
        return self._watched[1]
