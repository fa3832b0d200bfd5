"""Group commit: all hooks that wait when the writer is free go into one script call, and share its fsync."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from relay.bells import Ringer
from relay.errors import StoreUnavailable
from relay.logs import log, log_each
from relay.model import Record
from relay.store.keys import INBOX
from relay.store.records import Hook
from relay.store.store import Store
from relay.web.deadlines import DeadlineQueue

PATIENCE_SECONDS = 2.0  # how long amoCRM waits for an answer
GROUP_HOOKS = 100  # a script blocks the store while it runs
GROUP_BYTES = 1 << 20
GROUPS_IN_FLIGHT = 3  # one on its way there, one being written, one whose answer is on its way back
BYTES_IN_FLIGHT = 64 << 20

Stored = tuple[str, bool]
"""The receipt's id, and whether the hook is a duplicate of that one."""


class _Waiting(Record):
    hook: Hook
    began: float  # monotonic seconds
    answer: "asyncio.Future[Stored]"


class GroupCommit:
    """The writer of a web process. `full` tells whether the store is over its headroom mark."""

    def __init__(self, store: Store, ringer: Ringer, full: Callable[[], bool]) -> None:
        self._store = store
        self._ringer = ringer
        self._full = full
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._late: list[str] = []
        self._patience: DeadlineQueue[Stored] = DeadlineQueue()
        self._work = asyncio.Event()
        self._in_flight = 0
        self._tasks: set[asyncio.Task[object]] = set()

    async def put(self, hook: Hook, began: float) -> Stored:
        """Store a hook whose request began at `began` (monotonic seconds).

        Raises StoreUnavailable where it is not certain, while amoCRM still waits, that it is stored.
        """
        if self._full():
            raise StoreUnavailable("the store is nearly full")
        if self._bytes + len(hook.body) > BYTES_IN_FLIGHT:
            raise StoreUnavailable("too many bodies wait for the store")
        answer = self._patience.answer(began + PATIENCE_SECONDS)
        self._waiting.append(_Waiting(hook=hook, began=began, answer=answer))
        self._bytes += len(hook.body)
        self._work.set()
        return await answer

    def answered_late(self, id: str) -> None:
        """Remember that this answer came too late: amoCRM sends the hook again, and that is a duplicate."""
        self._late.append(id)
        self._work.set()

    async def run(self) -> None:
        """Write groups for as long as the process lives."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._may_write():
                self._in_flight += 1
                self._begin(self._write(self._next_group()))

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _may_write(self) -> bool:
        """Check whether a group may leave: beside another one only a whole one, so that few writes carry many hooks."""
        if not self._in_flight:
            return bool(self._waiting or self._late)
        whole = len(self._waiting) >= GROUP_HOOKS or self._bytes >= GROUP_BYTES
        return whole and self._in_flight < GROUPS_IN_FLIGHT

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while (
            self._waiting
            and len(group) < GROUP_HOOKS
            and (not group or size + len(self._waiting[0].hook.body) <= GROUP_BYTES)
        ):
            one = self._waiting.popleft()
            self._bytes -= len(one.hook.body)
            if not one.answer.done():  # nobody waits for it any more, and it was refused
                group.append(one)
                size += len(one.hook.body)
        return group

    async def _write(self, group: list[_Waiting]) -> None:
        late, self._late = self._late[:GROUP_HOOKS], self._late[GROUP_HOOKS:]
        try:
            accepted = await self._store.accept([one.hook for one in group], late)
            self._answer(group, accepted.answers)
        except Exception as error:  # noqa: BLE001  a defect here must refuse hooks, not hang them
            if not isinstance(error, StoreUnavailable):
                log.exception("commit.failed", hooks=len(group))
            for one in group:
                if not one.answer.done():
                    one.answer.set_exception(StoreUnavailable(str(error)))
            self._late = late + self._late  # to be said with the next group
            more = bool(self._waiting)
        else:
            if accepted.bell_set:
                # Published beside the next group: an answer never waits for a bell.
                self._begin(self._ringer.ring([INBOX]))
            more = bool(self._waiting or self._late)
        self._in_flight -= 1
        if more:
            self._work.set()

    def _answer(self, group: Sequence[_Waiting], answers: Sequence[Stored]) -> None:
        now = time.monotonic()
        stored: dict[bool, list[dict[str, object]]] = {False: [], True: []}
        for one, (id, duplicate) in zip(group, answers, strict=True):
            if one.answer.done():
                # Stored, but refused for its lateness: its repetition must count as a duplicate.
                self.answered_late(id)
                continue
            one.answer.set_result((id, duplicate))
            hook, took = one.hook, round((now - one.began) * 1000, 1)
            stored[duplicate].append({"receipt_id": id, "source": hook.source, "bytes": len(hook.body), "ms": took})
        self._patience.forget_given()
        log_each("receipt.accepted", stored[False])
        log_each("receipt.duplicate", stored[True])
