"""Group commit: all hooks that wait when the writer is free go into one script call, and share its fsync."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from relay.background import BackgroundTasks
from relay.bells import Ringer
from relay.errors import NotOwned, StoreUnavailable
from relay.logs import log, log_each
from relay.model import Record
from relay.store.keys import INBOX
from relay.store.records import Hook, LateAnswer
from relay.store.store import Store
from relay.web.deadlines import DeadlineQueue
from relay.web.late_answers import LateAnswers

AMOCRM_WAITS_SECONDS = 2.0  # for an answer; then it sends the hook again
MAX_GROUP_HOOKS = 100  # a script blocks the store while it runs
MAX_GROUP_BYTES = 1 << 20
MAX_GROUPS_IN_FLIGHT = 6
MIN_HOOKS_BESIDE = 16  # beside other groups: for fewer a call costs more than it saves
MAX_WAITING_BYTES = 64 << 20

Acceptance: TypeAlias = tuple[str, bool]
"""The receipt's id, and whether the hook is a duplicate of that one."""


class _WaitingHook(Record):
    hook: Hook
    started_at: float  # monotonic seconds
    answer: "asyncio.Future[Acceptance]"


class _Group(Record):
    """What one call tells the store."""

    waiting: Sequence[_WaitingHook]
    late: Sequence[LateAnswer]

    @property
    def may_come_again(self) -> bool:
        """Return whether amoCRM may be sending something of this again, and the store does not know that yet."""
        return bool(self.late) or any(one.answer.done() for one in self.waiting)


class GroupCommit:
    """The writer of a web process. `refusal` returns why nothing may be stored now; "" where it may."""

    def __init__(self, store: Store, ringer: Ringer, refusal: Callable[[], str]) -> None:
        self._store = store
        self._ringer = ringer
        self._refusal = refusal
        self._waiting: deque[_WaitingHook] = deque()
        self._waiting_bytes = 0
        self._late = LateAnswers()
        self._answers: DeadlineQueue[Acceptance] = DeadlineQueue()
        self._wakeup = asyncio.Event()
        self._in_flight: list[_Group] = []
        self._tasks = BackgroundTasks()

    async def put(self, hook: Hook, started_at: float) -> Acceptance:
        """Store a hook whose request started at `started_at` (monotonic seconds).

        Raises StoreUnavailable where it is not certain, while amoCRM still waits, that it is stored.
        """
        if refusal := self._refusal():
            raise StoreUnavailable(refusal)
        if self._waiting_bytes + len(hook.body) > MAX_WAITING_BYTES:
            raise StoreUnavailable("too many bodies wait for the store")
        answer = self._answers.add(started_at + AMOCRM_WAITS_SECONDS)
        self._waiting.append(_WaitingHook(hook=hook, started_at=started_at, answer=answer))
        self._waiting_bytes += len(hook.body)
        self._wakeup.set()
        return await answer

    def answered_late(self, id: str) -> None:
        """Note that a receipt's answer came too late: amoCRM sends the hook again, and that is a duplicate."""
        self._late.add(id)
        self._wakeup.set()

    async def run(self) -> None:
        """Write groups for as long as the process lives."""
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            while self._may_write():
                group = self._next_group()
                self._in_flight.append(group)
                self._tasks.start("commit", self._write(group))

    def _may_write(self) -> bool:
        if not self._in_flight:
            return bool(self._waiting or self._late)
        return len(self._in_flight) < MAX_GROUPS_IN_FLIGHT and (self._is_whole() or self._may_leave_beside())

    def _is_whole(self) -> bool:
        return len(self._waiting) >= MAX_GROUP_HOOKS or self._waiting_bytes >= MAX_GROUP_BYTES

    def _may_leave_beside(self) -> bool:
        """Return whether what waits may leave before others have returned, so that we work while the store syncs.

        Half as many as are in flight are worth a call: then few groups are small, however many senders there are. What
        repeats a hook whose answer was late must not overtake the word that it was late.
        """
        if len(self._waiting) < max(MIN_HOOKS_BESIDE, sum(len(group.waiting) for group in self._in_flight) // 2):
            return False
        return not any(group.may_come_again for group in self._in_flight)

    def _next_group(self) -> _Group:
        group: list[_WaitingHook] = []
        size, most = 0, self._most_hooks()
        while (
            self._waiting
            and len(group) < most
            and (not group or size + len(self._waiting[0].hook.body) <= MAX_GROUP_BYTES)
        ):
            waiting = self._waiting.popleft()
            self._waiting_bytes -= len(waiting.hook.body)
            if not waiting.answer.done():  # else it was refused already, and must not be stored
                group.append(waiting)
                size += len(waiting.hook.body)
        return _Group(waiting=group, late=self._late.take(MAX_GROUP_HOOKS, with_hooks=bool(group)))

    def _most_hooks(self) -> int:
        """Return how many may leave together; of few senders half.

        Who is answered together sends again together: with all of them in one group we would have nothing to do while
        the store has it, and the store nothing while we have them.
        """
        waiting = len(self._waiting)
        return waiting // 2 if 2 * MIN_HOOKS_BESIDE <= waiting < MAX_GROUP_HOOKS else MAX_GROUP_HOOKS

    async def _write(self, group: _Group) -> None:
        hooks = [waiting.hook for waiting in group.waiting]
        try:
            accepted = await self._store.accept(hooks, group.late)
            self._late.done(group.late, accepted.missing)
            self._answer(group.waiting, accepted.answers)
        except Exception as error:  # noqa: BLE001  a defect here must refuse hooks, not leave them waiting
            self._refuse(group.waiting, error)
            self._late.put_back(group.late)
            self._late.add_unknown(hooks)  # the store may have them all the same
            more = bool(self._waiting)
        else:
            if accepted.bell_set:
                # Published beside the next group: an answer never waits for a bell.
                self._tasks.start("bells", self._ringer.ring([INBOX]))
            more = bool(self._waiting or self._late)
        self._in_flight.remove(group)
        if more:
            self._wakeup.set()

    def _refuse(self, group: Sequence[_WaitingHook], error: Exception) -> None:
        if not isinstance(error, StoreUnavailable):
            log.exception("commit.failed", hooks=len(group))
        for waiting in group:
            if not waiting.answer.done():
                waiting.answer.set_exception(StoreUnavailable(str(error)))

    def _answer(self, group: Sequence[_WaitingHook], answers: Sequence[Acceptance]) -> None:
        now = time.monotonic()
        lines: dict[bool, list[dict[str, object]]] = {False: [], True: []}
        for waiting, (id, duplicate) in zip(group, answers, strict=True):
            if not id:
                if not waiting.answer.done():
                    waiting.answer.set_exception(NotOwned(f"{waiting.hook.source} is another shard's"))
                continue
            if waiting.answer.done():
                # Stored, but refused for its lateness: its repetition must count as a duplicate.
                self.answered_late(id)
                continue
            waiting.answer.set_result((id, duplicate))
            hook, ms = waiting.hook, round((now - waiting.started_at) * 10_000) / 10
            lines[duplicate].append({"receipt_id": id, "source": hook.source, "bytes": len(hook.body), "ms": ms})
        self._answers.discard_done()
        log_each("receipt.accepted", lines[False])
        log_each("receipt.duplicate", lines[True])
