"""Adopt what the release before this one wrote, in small steps. Goes with the next release."""

from typing import Final

import msgspec

from relay.store.adoption import Adoption, AdoptionProgress, lists_to_adopt
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.shared_state import SharedState
from relay.store.store import Store

ADOPT: Final = "adopt"  # kind of the job, as it is stored
STEPS: Final = 50  # of a run: other jobs wait meanwhile
AGAIN_MS: Final = 600_000  # after a whole walk: processes of that release may still run beside
_KEPT_MS: Final = 7 * 86_400_000


class Adopter:
    """The function of a job."""

    def __init__(self, store: Store) -> None:
        self._adoption = Adoption(store.client, store.namespace)
        self._reader = Reader(store.client, store.namespace)
        self._store = store
        self._shared = SharedState(store.client, store.namespace)

    async def adopt(self, _: Job) -> int:
        """Go on where the last run stopped, whichever worker's that was."""
        stored = await self._shared.get(ADOPT)
        before = _PROGRESS.decode(stored) if stored else AdoptionProgress()
        sinks, sources = sorted(await self._reader.registered_sinks()), sorted(await self._store.registry.sources())
        progress = await self._adoption.adopt(lists_to_adopt(sinks, sources), before, STEPS)
        if progress is None:
            await self._shared.delete(ADOPT)
            return AGAIN_MS
        await self._shared.put(ADOPT, msgspec.json.encode(progress), _KEPT_MS)
        return 0


_PROGRESS = msgspec.json.Decoder(AdoptionProgress)
