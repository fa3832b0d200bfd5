"""Give back what workers had that are gone, before their leases run out."""

from collections.abc import Sequence
from typing import Final

from relay.logs import log
from relay.store.store import Store
from workers.worker_lock import forget, has_ended

SILENT_MS: Final = 500  # from which it is looked after a worker; an idle one looks at the store every two seconds
GIVE_BACK_MS: Final = 15_000  # of silence, of which nobody knows the cause


class GoneWorkers:
    """Ends the leases of workers that are silent.

    Of one whose process has ended for certain all end at once. Another may only be stopped, or cut off: what it sends
    may have left, so deliveries wait for their leases, and what it routes or looks up is given back after a while.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._given_back: set[str] = set()

    async def end_leases(self, silent: Sequence[tuple[str, int]]) -> None:
        """End leases of silent workers, each with the milliseconds since it was seen. Raises StoreUnavailable."""
        self._given_back &= {name for name, _ in silent}
        for name, ms in silent:
            ended = has_ended(name)
            if not ended and (ms < GIVE_BACK_MS or name in self._given_back):
                continue
            leases = await self._store.end_leases(name, sending=ended)
            self._given_back.add(name)
            log.warning("worker.gone", worker=name, ended=ended, silent_ms=ms, leases=leases)
            if ended:
                await self._store.forget_worker(name)
                forget(name)
