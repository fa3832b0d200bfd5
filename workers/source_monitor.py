"""Watch over the sources whose account can be asked: notice silence, and catch up when it has ended."""

import time
from collections.abc import Callable, Sequence

import msgspec

from relay.accounts.catch_up import LATEST_MS, CatchUp
from relay.accounts.client import AccountClient
from relay.accounts.hooks import list_hooks
from relay.accounts.source_health import HookState, SilentPeriod, SourceHealth, hook_state, load, save, update_health
from relay.config.load import Config
from relay.errors import ConfigError, RelayError, StoreUnavailable
from relay.logs import log
from relay.model import Record
from relay.store.keys import INBOX
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.shared_state import SharedState
from relay.store.store import Store

LISTEN, CATCH_UP = "listen", "catch-up"
LISTEN_EVERY_MS = 60_000
AGAIN_MS = 60_000
EARLIER_MS = 60_000  # than the last hook that was heard: checks are that far apart
_PAGES = 5  # of the account's events in one run: other jobs wait


class About(Record):
    """What a job is about."""

    source: str
    since: int = 0
    until: int = 0


class SourceMonitor:
    """The jobs `listen` and `catch-up`. `now` gives epoch milliseconds."""

    def __init__(
        self,
        config: Callable[[], Config],
        store: Store,
        account: Callable[[str], AccountClient],
        ring: Callable[[Sequence[str]], object],
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._config = config
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._shared = SharedState(store.client, store.namespace)
        self._account = account
        self._ring = ring
        self._now = now

    async def listen(self, job: Job) -> int | None:
        """Look how a source does. A job of a source that has no API any more is done."""
        name = _ARGS.decode(job.args).source
        source = self._config().sources.get(name)
        if source is None or source.api is None:
            return None
        before = await load(self._shared, name)
        hook, problem = await self._hook(name)
        heard, ended = update_health(before, await self._reader.received(name), hook, problem, self._now())
        await save(self._shared, name, heard)
        _tell(name, before, heard)
        if ended is not None:
            await self._plan_catch_up(name, ended)
        return LISTEN_EVERY_MS

    async def _hook(self, source: str) -> tuple[HookState, str]:
        token = self._config().hook_tokens[source].decode()
        try:
            return hook_state(await list_hooks(self._account(source)), f"/hooks/{source}/{token}"), ""
        except StoreUnavailable:
            raise
        except RelayError as error:
            return "unknown", str(error)

    async def _plan_catch_up(self, source: str, spell: SilentPeriod) -> None:
        args = About(source=source, since=spell.since - EARLIER_MS, until=spell.until)
        log.warning("source.heard_again", source=source, quiet_since=spell.since)
        id = f"{CATCH_UP}:{source}:{spell.since}"
        await self._store.enqueue_job(id, CATCH_UP, msgspec.json.encode(args), LATEST_MS)

    async def catch_up(self, job: Job) -> int | None:
        """Catch up some pages."""
        args = _ARGS.decode(job.args)
        config = self._config()
        source = config.sources.get(args.source)
        if source is None or source.api is None:
            return None
        work = CatchUp(source, config, self._account(args.source), self._store)
        try:
            progress = await work.begin(args.since, args.until, self._now())
            for _ in range(_PAGES):
                if not progress.done:
                    progress = await work.page(progress, write=True)
        except StoreUnavailable:
            raise
        except ConfigError as error:
            log.error("source.not_caught_up", source=args.source, reason=str(error))
            return None
        except RelayError as error:
            log.warning("source.not_caught_up", source=args.source, reason=str(error))
            return AGAIN_MS
        finally:
            if work.bell_set:
                self._ring([INBOX])
        if not progress.done:
            return 0
        log.warning("source.caught_up", source=args.source, recovered=progress.recovered, gone=progress.gone)
        return None


def arguments(source: str) -> bytes:
    """Return the arguments of a source's `listen`."""
    return msgspec.json.encode(About(source=source))


def _tell(source: str, before: SourceHealth | None, heard: SourceHealth) -> None:
    if heard.quiet and (before is None or not before.quiet):
        log.error("source.quiet", source=source, hook=heard.hook, last_at=heard.last_at, silent=heard.silent)


_ARGS = msgspec.json.Decoder(About)
