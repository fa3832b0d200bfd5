"""Tell, when their window ends, the facts that were counted because they are like one that was told."""

from typing import Final

from relay.live_config import LiveConfig
from relay.store.records import Job
from relay.store.store import Store

END_FACT_GROUPS: Final = "facts"  # kind of the job, as it is stored
EVERY_MS: Final = 30_000


class FactGroups:
    """The function of a job."""

    def __init__(self, live: LiveConfig, store: Store) -> None:
        self._live = live
        self._store = store

    async def end(self, _: Job) -> int | None:
        """Tell what was counted in windows that have ended. The job ends where no route asks for facts any more."""
        if not self._live.config.asked_facts:
            return None
        await self._store.end_fact_groups()
        return EVERY_MS
