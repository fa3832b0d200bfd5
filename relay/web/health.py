"""Return whether this process lives, and whether it can do its work."""

import asyncio
import time
from collections.abc import Callable

from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse

from relay.accounts.source_health import SourceHealth, load_health
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.store.health import Durability, MemoryUse, read_durability, read_memory_use
from relay.store.keys import Keys
from relay.store.shared_state import SharedState

LOOK_SECONDS = 0.5
DURABILITY_SECONDS = 30.0


class StoreWatch:
    """Looks at the store in the background, so that no hook has to: how full it is, and what it survives."""

    def __init__(self, client: Redis, keys: Keys, shared: SharedState, live: LiveConfig) -> None:
        self._client = client
        self._shared = shared
        self._probe_key = keys.probe
        self._live = live
        self._graded_at = float("-inf")
        self.room: MemoryUse | None = None
        self.durability: Durability | None = None
        self.sources: dict[str, SourceHealth] = {}
        self.problem: str | None = "not looked at yet"

    def full(self) -> bool:
        """Whether the store is over the headroom mark."""
        return self.room is not None and self.room.full

    async def run(self) -> None:
        """Look again and again; follow the configuration file in between."""
        while True:
            await self.look()
            self._live.poll()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once."""
        was_full = self.full()
        try:
            self.room = await read_memory_use(self._client)
            if self.durability is None or time.monotonic() - self._graded_at > DURABILITY_SECONDS:
                self.durability, self._graded_at = (
                    await read_durability(self._client, self._probe_key),
                    time.monotonic(),
                )
                self.sources = await self._heard()
            self.problem = None
        except StoreUnavailable as error:
            if self.problem is None:
                log.error("store.away", reason=str(error))
            self.problem, self.durability = str(error), None
        if self.full() and not was_full:
            log.error("store.full", used=self.room and self.room.used, limit=self.room and self.room.limit)

    async def _heard(self) -> dict[str, SourceHealth]:
        found = {
            name: await load_health(self._shared, name) for name, one in self._live.config.sources.items() if one.api
        }
        return {name: heard for name, heard in found.items() if heard is not None}


def _source(heard: SourceHealth) -> dict[str, object]:
    return {
        "hook": heard.hook,
        "silent": heard.silent,
        "last_received_at": heard.last_at,
        "patience_ms": heard.max_silence_ms,
        "checked_at": heard.checked_at,
        "problem": heard.problem or None,
    }


def healthz(_: Request) -> JSONResponse:
    """Answer that the process lives."""
    return JSONResponse({"status": "alive"})


def readyz(watch: StoreWatch, live: LiveConfig, strict: bool) -> Callable[[Request], JSONResponse]:
    """Make the endpoint that answers 200 where hooks can be taken, else 503, with what stands in the way."""

    def answer(_: Request) -> JSONResponse:
        problems = []
        if watch.problem:
            problems.append(watch.problem)
        if watch.full():
            problems.append("the store is over its headroom mark: new hooks are refused until some of it is worked off")
        if strict and watch.durability and watch.durability.grade != "fsync":
            problems.append(f"RELAY_DURABILITY=strict, and the store's grade is {watch.durability}")
        body = {
            "status": "unready" if problems else "ready",
            "problems": problems,
            "store": {
                "durability": str(watch.durability) if watch.durability else None,
                "eviction": watch.durability.policy if watch.durability else None,
                "used_bytes": watch.room.used if watch.room else None,
                "limit_bytes": watch.room.limit if watch.room else None,
            },
            "sources": {name: _source(heard) for name, heard in watch.sources.items()},
            "config": {"version": live.config.version, "error": live.error},
        }
        return JSONResponse(body, 503 if problems else 200)

    return answer
