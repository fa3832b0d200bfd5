"""Sample the counters once a minute, for charts."""

from typing import Final

from relay.live_config import LiveConfig
from relay.store.minutes import MINUTE_MS, Minutes
from relay.store.records import Job
from relay.store.store import Store

SAMPLE_MINUTE: Final = "minute"  # kind of the job, as it is stored
_AFTER_MS: Final = 50  # into the next minute


class MinuteSampler:
    """The function of a job."""

    def __init__(self, live: LiveConfig, store: Store) -> None:
        self._live = live
        self._clock = store.clock
        self._minutes = Minutes(store.client, store.namespace)

    async def sample(self, _: Job) -> int:
        """Take a sample; it is due again when the next minute has ended."""
        await self._minutes.sample(self._live.config.version)
        return MINUTE_MS - self._clock.ms() % MINUTE_MS + _AFTER_MS
