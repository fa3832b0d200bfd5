"""Work bulk actions off, a while at a time: other jobs have their turn, and what is fresh is sent meanwhile."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from relay.accounts.client import AccountClient
from relay.config.config import Config
from relay.errors import RelayError, StoreUnavailable
from relay.logs import log
from relay.model import Record
from relay.operations.action_step import ActionStep
from relay.operations.action_work import PAGE, ActionWork
from relay.secret import SecretStr
from relay.store.actions import Actions, ActionState, StoredAction
from relay.store.acts import Author
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.store import Store
from workers.action_parts import WAIT_MS, ActionParts

RUN_SECONDS: Final = 2.0  # of a job's turn


class ActionJobArgs(Record):
    """The arguments of the job."""

    id: str


class ActionRunner:
    """The function of the jobs that work actions off. `config`: the one in force; `account`: a source's client.

    `secret_key`: that by which people are known. `reader`: of all shards; `others`: the actions of all but this one.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        store: Store,
        account: Callable[[str], AccountClient],
        stopping: Callable[[], bool],
        secret_key: SecretStr | None = None,
        reader: Reader | None = None,
        others: Callable[[], Mapping[str, Actions]] = dict,
    ) -> None:
        self._config = config
        self._account = account
        self._store = store
        self._stopping = stopping
        self._secret_key = secret_key
        self._reader = reader
        self._parts = ActionParts(store.actions, others)

    async def run(self, job: Job) -> int | None:
        """Do some steps. The job is over where the action does not run any more: whoever changed it removed the job."""
        id = _ARGS.decode(job.args).id
        end = time.monotonic() + RUN_SECONDS
        work = ActionWork(self._store, self._config(), self._account, self._secret_key, self._reader)
        while True:
            began = time.monotonic()
            found = await self._store.actions.read([id])
            if not found or found[0].state is not ActionState.RUNNING:
                return None
            action = found[0]
            await self._parts.begin(action)
            step = await self._step(work, action)
            if step is None or step.stopped or step.ended:
                return None
            if step.waits:
                return step.wait_ms
            if self._stopping() or time.monotonic() > end:
                return 0
            await asyncio.sleep(max(step.items / action.rate - (time.monotonic() - began), 0))

    async def _step(self, work: ActionWork, action: StoredAction) -> ActionStep | None:
        """Do a step, and end the action where it was the last. None: it failed."""
        try:
            step = await work.step(action, min(PAGE, action.rate))
        except StoreUnavailable:
            raise
        except RelayError as error:
            await self._end(action, "fail", str(error))
            return None
        if not step.ended:
            return step
        if waits := await self._parts.waits(action):
            await self._store.actions.save_progress(action, action.cursor, 0, waits=waits)
            return ActionStep(waits=waits, wait_ms=WAIT_MS)
        await self._end(action, "finish", action.why)
        return step

    async def _end(self, action: StoredAction, act: str, why: str) -> None:
        done, _ = await self._store.actions.change(action.id, act, Author(by=action.by, why=why))
        if done:
            (ended,) = await self._store.actions.read([action.id])
            log.info("action.ended", action=action.id, kind=action.kind, state=ended.state, results=ended.results)


_ARGS: Final = msgspec.json.Decoder(ActionJobArgs)
