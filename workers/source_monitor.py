"""Monitor the sources whose account can be asked: notice silence, and catch up when it has ended."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from relay.accounts.catch_up import MIN_AGE_MS, CatchUp
from relay.accounts.client import AccountClient
from relay.accounts.hooks import list_hooks
from relay.accounts.source_health import (
    HookState,
    Outage,
    hook_state,
    load_health,
    our_hooks,
    save_health,
    update_health,
)
from relay.config.config import Config
from relay.errors import ConfigError, RelayError, StoreUnavailable
from relay.logs import log
from relay.model import Record
from relay.store.keys import INBOX
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.shared_state import SharedState
from relay.store.store import Store

CHECK_SOURCE, CATCH_UP = "listen", "catch-up"  # kinds of jobs, as they are stored
CHECK_EVERY_MS = 60_000
RETRY_MS = 60_000
OVERLAP_MS = 60_000  # catching up begins so long before the last hook: checks are that far apart
_PAGES_PER_RUN = 5  # of the account's events: other jobs wait meanwhile


class JobArgs(Record):
    """The arguments of both jobs."""

    source: str
    since: int = 0
    until: int = 0


class SourceMonitor:
    """The functions of two kinds of jobs: check a source, and catch up.

    `now`: the store's, in epoch milliseconds; `owned`: which of some sources are the shard's own; `reader`: of
    all shards.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        store: Store,
        account: Callable[[str], AccountClient],
        ring: Callable[[Sequence[str]], object],
        now: Callable[[], int] | None = None,
        owned: Callable[[Iterable[str]], Sequence[str]] = list,
        reader: Reader | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._shared = SharedState(store.client, store.namespace)
        self._account = account
        self._ring = ring
        self._now = now or store.clock.ms
        self._owned = owned
        self._all = reader

    async def check_source(self, job: Job) -> int | None:
        """Update the health of a source. The job ends where it has no API any more, or another shard has it."""
        name = _ARGS.decode(job.args).source
        source = self._config().sources.get(name)
        if source is None or source.api is None or not self._owned([name]):
            return None
        before = await load_health(self._shared, name)
        hook, problem, registered = await self._check_hook(name)
        health, ended = update_health(before, await self._reader.received(name), hook, problem, self._now())
        health = msgspec.structs.replace(health, registered=registered)
        await save_health(self._shared, name, health)
        if health.has_outage and (before is None or not before.has_outage):
            log.error("source.silent", source=name, hook=health.hook, last_at=health.last_at, silent=health.silent)
        if ended is not None:
            await self._plan_catch_up(name, ended)
        return CHECK_EVERY_MS

    async def _check_hook(self, source: str) -> tuple[HookState, str, Sequence[str] | None]:
        """Return the state of our hook in the account, why that is not known, and the events of the hook."""
        paths = [f"/hooks/{source}/{token.decode()}" for token in self._config().hook_tokens[source]]
        try:
            hooks = await list_hooks(self._account(source))
        except StoreUnavailable:
            raise
        except RelayError as error:
            return "unknown", str(error), None
        registered = {event for hook in our_hooks(hooks, paths) for event in hook.events}
        return hook_state(hooks, paths), "", sorted(registered)

    async def _plan_catch_up(self, source: str, outage: Outage) -> None:
        args = JobArgs(source=source, since=outage.since - OVERLAP_MS, until=outage.until)
        log.warning("source.resumed", source=source, silent_since=outage.since)
        id = f"{CATCH_UP}:{source}:{outage.since}"
        await self._store.enqueue_job(id, CATCH_UP, msgspec.json.encode(args), MIN_AGE_MS)

    async def catch_up(self, job: Job) -> int | None:
        """Read some pages of the account's events, and store a receipt for each that no hook reported."""
        args = _ARGS.decode(job.args)
        config = self._config()
        source = config.sources.get(args.source)
        if source is None or source.api is None:
            return None
        work = CatchUp(source, config, self._account(args.source), self._store, reader=self._all)
        try:
            progress = await work.start_or_resume(args.since, args.until, self._now())
            for _ in range(_PAGES_PER_RUN):
                if not progress.done:
                    progress = await work.process_page(progress, write=True)
        except StoreUnavailable:
            raise
        except ConfigError as error:
            log.error("source.catch_up_failed", source=args.source, reason=str(error))
            return None
        except RelayError as error:
            log.warning("source.catch_up_failed", source=args.source, reason=str(error))
            return RETRY_MS
        finally:
            if work.bell_set:
                self._ring([INBOX])
        if not progress.done:
            return 0
        log.warning("source.caught_up", source=args.source, recovered=progress.recovered, gone=progress.gone)
        return None


def check_source_args(source: str) -> bytes:
    """Return the arguments of the job that checks a source."""
    return msgspec.json.encode(JobArgs(source=source))


_ARGS = msgspec.json.Decoder(JobArgs)
