"""Write the index of the newest receipts in small calls, apart from all that takes hooks and delivers."""

import time
from typing import Final

from relay.store.newest import NewestIndex
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.store import Store

INDEX_NEWEST: Final = "newest"  # kind of the job, as it is stored
MOST_COMMANDS: Final = 200  # of the store in a call, which blocks it for about a millisecond
AT_ONCE_SECONDS: Final = 0.2  # then other jobs have their turn
EVERY_MS: Final = 5_000


class NewestIndexer:
    """The function of a job."""

    def __init__(self, store: Store) -> None:
        self._reader = Reader(store.client, store.namespace)
        self._index = NewestIndex(store.client, store.namespace)

    async def index(self, _: Job) -> int:
        """Index for a while; it is due again at once where there is more."""
        deadline = time.monotonic() + AT_ONCE_SECONDS
        while await self.index_batch():
            if time.monotonic() > deadline:
                return 0
        return EVERY_MS

    async def index_batch(self) -> bool:
        """Index some of what has arrived. Returns whether there is more."""
        return await self._index.index(await self._reader.now(), MOST_COMMANDS)
