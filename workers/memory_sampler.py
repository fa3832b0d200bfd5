"""Sample how full the store is, and what its records take, once an hour: for the forecast and the page System."""

from typing import Final

from relay.errors import StoreRefused
from relay.logs import log
from relay.store.health import read_memory_use
from relay.store.record_memory import RecordMemorySampler
from relay.store.records import Job
from relay.store.store import Store

SAMPLE_MEMORY: Final = "memory"  # kind of the job, as it is stored
_EVERY_MS: Final = 3_600_000


class MemorySampler:
    """The function of a job."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records = RecordMemorySampler(store.client, store.namespace)

    async def sample(self, _: Job) -> int:
        """Take a sample; it is due again in an hour."""
        await self._store.note_memory(await read_memory_use(self._store.client))
        try:
            await self._records.sample()
        except StoreRefused as error:  # managed servers may forbid it: then nobody knows, and the forecast stands
            log.warning("memory.unmeasured", reason=str(error))
        return _EVERY_MS
