"""Ring the bells that nobody rang: lost ones, and those whose time came by itself."""

import asyncio
import random
from collections.abc import Callable

from relay.bells import Ringer
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.store.store import Store
from workers.source_monitor import LISTEN, arguments

TICK_SECONDS = 0.5


class Ticker:
    """One in every worker process; more of them do no harm."""

    def __init__(self, live: LiveConfig, store: Store, ringer: Ringer, begin: Callable[[str], None]) -> None:
        self._live = live
        self._store = store
        self._ringer = ringer
        self._begin = begin
        self._registered: tuple[str, int] | None = None

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Tick until told to stop."""
        away = False
        while not stopping():
            try:
                await self.tick()
                away = False
            except StoreUnavailable as error:
                if not away:
                    log.warning("ticker.paused", reason=str(error))
                away = True
            except Exception:  # noqa: BLE001  without a ticker a lost bell stays lost
                log.exception("ticker.failed")
            await asyncio.sleep(TICK_SECONDS * random.uniform(0.8, 1.2))

    async def tick(self) -> None:
        """Ring for every queue that is worth a look. What cannot be published is begun right here."""
        self._live.poll()
        await self._live.follow(self._store.subscriptions)
        if self._registered != self._live.version:
            await self._store.register_sinks(self._live.sink_types())
            await self._store.enqueue_job("retention", "retention")
            for source in self._live.config.sources.values():
                if source.api is not None:
                    await self._store.enqueue_job(f"{LISTEN}:{source.name}", LISTEN, arguments(source.name))
            self._registered = self._live.version
        for queue in await self._ringer.ring(await self._store.set_bells()):
            self._begin(queue)
