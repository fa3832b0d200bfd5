"""Catch up as a bulk action: what an account remembers and no hook reported becomes receipts, page by page."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from relay.accounts.catch_up import MIN_AGE_MS, CatchUp, MissedPage, Progress, check_known
from relay.accounts.client import AccountClient
from relay.config.config import Config, Source
from relay.config.suggestions import did_you_mean
from relay.errors import AccountRefused, AccountUnavailable, ConfigError, RelayError, StoreUnavailable
from relay.model import Record
from relay.operations.action_results import NOT_THERE, RECOVERED
from relay.operations.action_step import ENDED, ActionStep
from relay.operations.actions import ActionKind, ActionRequest, StartedAction, start_bound
from relay.operations.search import EventFilter
from relay.store.actions import StoredAction
from relay.store.acts import Author
from relay.store.health import read_memory_use
from relay.store.keys import INBOX
from relay.store.reader import Reader
from relay.store.store import Store
from relay.store.wire.acts import ActionItemRow

ASK_AGAIN_MS: Final = 10_000  # an account that cannot be asked now


class _Cursor(Record):
    """How far a catch-up is. `used`: events that reported changes of the last page, and report none of the next."""

    progress: Progress
    used: Sequence[str]


async def start_catch_up(
    store: Store, config: Config, source: str, since: int, until: int | None, author: Author
) -> StartedAction:
    """Have the workers catch up a source, by a bulk action. Times are epoch milliseconds.

    Raises ConfigError where the source has no api, or the time is longer ago than receipts are kept; StoreUnavailable.
    """
    find_source(config, source)
    now = store.clock.ms()
    check_known(source, since, config, now)
    until = now - MIN_AGE_MS if until is None else min(until, now)
    if since >= until:
        raise ConfigError("nothing to catch up: it ends before it begins; it ends two minutes ago unless it is told")
    filters = EventFilter(source=source, since=since, until=until)
    return await start_bound(
        store.of_source(source), ActionRequest(kind=ActionKind.CATCH_UP, filter=filters), 0, author
    )


def find_source(config: Config, name: str) -> Source:
    """Return a source whose account can be asked. Raises ConfigError."""
    source = config.sources.get(name)
    if source is None:
        raise ConfigError(f"unknown source {name}, {did_you_mean(name, config.sources)}")
    if source.api is None:
        raise ConfigError(f"sources.{name} has no api: write api: {{token: …}} there, to ask its account what happened")
    return source


class CatchUpWork:
    """Does steps of catch-ups by one configuration. `account`: the client of a source's account.

    `reader`: of all shards.
    """

    def __init__(
        self, store: Store, config: Config, account: Callable[[str], AccountClient], reader: Reader | None = None
    ) -> None:
        self._store = store
        self._config = config
        self._account = account
        self._reader = reader

    async def step(self, action: StoredAction, request: ActionRequest) -> ActionStep:
        """Do a page of the account's events. Raises AccountRefused, ConfigError, StoreUnavailable."""
        name, since, until = request.filter.source, request.filter.since, request.filter.until
        assert since is not None
        assert until is not None
        source = find_source(self._config, name)
        check_known(name, since, self._config, self._store.clock.ms())
        before = _Cursor(progress=Progress(since=since, until=until), used=())
        if action.cursor:
            before = _CURSOR.decode(action.cursor)
        work = CatchUp(source, self._config, self._account(name), self._store, before.used, self._reader)
        try:
            page = await work.read_page(before.progress)
        except (AccountRefused, ConfigError, StoreUnavailable):
            raise
        except AccountUnavailable as error:
            return await self._wait(action, str(error), max(error.after_ms or 0, ASK_AGAIN_MS))
        except RelayError as error:
            return await self._wait(action, str(error), ASK_AGAIN_MS)
        if page.hooks and (await read_memory_use(self._store.client)).full:
            return await self._wait(action, "the store is nearly full", ASK_AGAIN_MS)
        return await self._write(action, work, page, sorted(work.used - set(before.used)))

    async def _write(self, action: StoredAction, work: CatchUp, page: MissedPage, used: Sequence[str]) -> ActionStep:
        rows = [ActionItemRow(hook.id, RECOVERED) for hook in page.hooks]
        rows += [ActionItemRow(id, NOT_THERE) for id in page.gone]
        # Listed before they are stored: who repeats the page, after a worker was killed between, finds them stored, and
        # would not know that it was this action.
        if rows and not await self._store.actions.save_progress(action, action.cursor, 0, rows):
            return ActionStep(stopped=True)
        await work.recover(page.hooks)
        if work.bell_set:
            await self._store.clear_bell(INBOX)  # nobody publishes it: a worker's ticker finds them
        ended = page.after.done
        cursor = ENDED if ended else _encode(_Cursor(progress=page.after, used=used))
        await self._store.actions.save_progress(action, cursor, page.looked)
        return ActionStep(items=len(rows), ended=ended)

    async def _wait(self, action: StoredAction, waits: str, wait_ms: int) -> ActionStep:
        await self._store.actions.save_progress(action, action.cursor, 0, waits=waits)
        return ActionStep(waits=waits, wait_ms=wait_ms)


def _encode(cursor: _Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


_CURSOR: Final = msgspec.json.Decoder(_Cursor)
