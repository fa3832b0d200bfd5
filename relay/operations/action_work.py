"""Work a bulk action off, a page at a time. A page that is repeated, after a worker was killed, does nothing twice."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from relay.accounts.client import AccountClient
from relay.config.config import Config
from relay.model import DeliveryState
from relay.operations.action_catch_up import CatchUpWork
from relay.operations.action_erasure import ErasureWork
from relay.operations.action_rows import read_delivery_page, read_event_page
from relay.operations.action_step import ENDED, ActionStep
from relay.operations.actions import SENDING_KINDS, ActionKind, ActionRequest, decode_request
from relay.operations.acts import ActResult, TodaysActs, act_on_delivery, act_on_put_off
from relay.operations.replay import Fate, Replay, ReplayedReceipt, ReplayLimits
from relay.operations.replaying import ReplayCount, write_replay
from relay.secret import SecretStr
from relay.store.actions import StoredAction
from relay.store.acts import Act, Author
from relay.store.keys import sink_queue
from relay.store.put_off_rows import row_of
from relay.store.reader import Reader
from relay.store.store import Store
from relay.store.stored import StoredDelivery
from relay.store.wire.acts import ActionItemRow
from relay.store.wire.lists import Cursor

PAGE: Final = 100  # items of a step at most
AT_ONCE: Final = 10  # calls of the store
MOST_DUE: Final = 500  # of a sink that is open: what is fresh goes first
_ACTS: Final[Mapping[ActionKind, Act]] = {
    ActionKind.RETRY: Act.RETRY,
    ActionKind.CANCEL: Act.CANCEL,
    ActionKind.CONFIRM: Act.CONFIRM,
    ActionKind.RESEND: Act.RESEND,
}


class ActionWork:
    """Does steps of bulk actions by one configuration. `account`: the client of a source's account.

    `reader`: of all shards, for what came before a source was moved.
    Its methods raise StoreUnavailable.
    """

    def __init__(
        self,
        store: Store,
        config: Config,
        account: Callable[[str], AccountClient],
        secret_key: SecretStr | None = None,
        reader: Reader | None = None,
    ) -> None:
        self._store = store
        self._reader = Reader(store.client, store.namespace)
        self._config = config
        self._todays = TodaysActs(store, self._reader, config)
        self._catch_up = CatchUpWork(store, config, account, reader)
        self._erasure = ErasureWork(store, config, secret_key)

    async def step(self, action: StoredAction, most: int = PAGE) -> ActionStep:
        """Do it to the next items, at most so many. Raises AccountRefused, ConfigError where it cannot be done."""
        if action.cursor == ENDED:
            return ActionStep(ended=True)
        request = decode_request(action)
        if request.kind is ActionKind.CATCH_UP:
            return await self._catch_up.step(action, request)
        if request.kind is ActionKind.ERASE:
            return await self._erasure.step(action, request, min(most, PAGE))
        after = _CURSOR.decode(action.cursor) if action.cursor else None
        author = Author(by=action.by, why=action.why, action=action.id)
        if request.kind is ActionKind.REPLAY:
            return await self._replay(action, request, author, after, min(most, PAGE))
        return await self._act(action, request, author, after, min(most, PAGE))

    async def _act(
        self, action: StoredAction, request: ActionRequest, author: Author, after: Cursor | None, most: int
    ) -> ActionStep:
        page = await read_delivery_page(self._reader, request, after, most)
        if waits := await self._sinks_behind(request, {one.sink for one in page.items}):
            return await self._wait(action, waits)
        rows: list[ActionItemRow] = []
        for at in range(0, len(page.items), AT_ONCE):
            some = page.items[at : at + AT_ONCE]
            results = await asyncio.gather(*[self._act_on(request, one, author) for one in some])
            rows += [ActionItemRow(result.id, result.result) for result in results]
            if any(row.result == "stopped" for row in rows):
                return ActionStep(stopped=True)
        return await self._save(action, page.next, page.looked, rows)

    async def _act_on(self, request: ActionRequest, delivery: StoredDelivery, author: Author) -> ActResult:
        if delivery.state is DeliveryState.PUT_OFF:
            return await act_on_put_off(self._store, row_of(delivery), Act(request.kind), author)
        if request.kind is ActionKind.RENDER:
            return await self._todays.render(delivery.id, author)
        if request.kind is ActionKind.MOVE:
            return await self._todays.move(delivery.id, request.to, author)
        return await act_on_delivery(self._store, delivery.id, _ACTS[request.kind], author)

    async def _replay(
        self, action: StoredAction, request: ActionRequest, author: Author, after: Cursor | None, most: int
    ) -> ActionStep:
        limits = ReplayLimits(route=request.route, sink=request.sink, force=request.force)
        page = await read_event_page(self._reader, request, after, most)
        planned = await Replay(self._reader, self._config, limits).plan([found.id for found in page.items])
        if waits := await self._sinks_behind(request, {one.sink for part in planned for one, _ in part.deliveries}):
            return await self._wait(action, waits)
        rows: list[ActionItemRow] = []
        for receipt in planned:
            done = await write_replay(self._store, self._config, receipt, author, force=request.force)
            if "stopped" in done.problems:
                return ActionStep(stopped=True)
            rows += _replayed_rows(receipt, done)
        return await self._save(action, page.next, page.looked, rows)

    async def _sinks_behind(self, request: ActionRequest, sinks: set[str]) -> str:
        """Return which sinks have so much to send that nothing is to be added, in words; empty where none has."""
        if request.kind not in SENDING_KINDS:
            return ""
        names = sorted(sinks)
        due = await self._reader.due([sink_queue(name) for name in names])
        behind = [
            f"{name} has {work.count} to send" for name, work in zip(names, due, strict=True) if work.count > MOST_DUE
        ]
        return "; ".join(behind)

    async def _wait(self, action: StoredAction, waits: str) -> ActionStep:
        await self._store.actions.save_progress(action, action.cursor, 0, waits=waits)
        return ActionStep(waits=waits)

    async def _save(
        self, action: StoredAction, after: Cursor | None, looked: int, rows: Sequence[ActionItemRow]
    ) -> ActionStep:
        cursor = ENDED if after is None else msgspec.json.encode(after).decode()
        await self._store.actions.save_progress(action, cursor, looked, rows)
        return ActionStep(items=len(rows), ended=after is None)


def _replayed_rows(planned: ReplayedReceipt, done: ReplayCount) -> Iterator[ActionItemRow]:
    """Yield what came of a receipt: what was made is in the list already, so that this counts only where it was not."""
    for problem in done.problems:
        yield ActionItemRow(planned.id, problem)
    for delivery, fate in planned.deliveries if not done.problems else ():
        yield ActionItemRow(delivery.id, Fate.PENDING if fate in (Fate.NEW, Fate.AGAIN) else fate)
    if not done.problems and not planned.deliveries:
        yield ActionItemRow(planned.id, "no delivery")


_CURSOR: Final = msgspec.json.Decoder(Cursor)
