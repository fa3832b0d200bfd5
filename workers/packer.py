"""Pack what was finished long ago, some at a time, apart from all that takes hooks and delivers."""

from typing import Final

from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.store import Store

PACK: Final = "pack"  # kind of the job, as it is stored
BATCH: Final = 20  # receipts of a call: two milliseconds of the store
BATCHES: Final = 50  # of a run: the other jobs wait meanwhile
EVERY_MS: Final = 60_000


class Packer:
    """The function of a job."""

    def __init__(self, store: Store) -> None:
        self._reader = Reader(store.client, store.namespace)
        self._packing = store.packing

    async def pack(self, _: Job) -> int:
        """Pack some batches; it is due again at once where there is more."""
        for _batch in range(BATCHES):
            if await self._packing.pack_next(await self._reader.now(), BATCH) < BATCH:
                return EVERY_MS
        return 0
