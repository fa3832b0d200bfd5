"""Sample how full the store is, once an hour, for the forecast of `relay doctor`."""

from typing import Final

from relay.store.health import read_memory_use
from relay.store.records import Job
from relay.store.store import Store

SAMPLE_MEMORY: Final = "memory"  # kind of the job, as it is stored
_EVERY_MS: Final = 3_600_000


class MemorySampler:
    """The function of a job."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def sample(self, _: Job) -> int:
        """Take a sample; it is due again in an hour."""
        await self._store.note_memory(await read_memory_use(self._store.client))
        return _EVERY_MS
