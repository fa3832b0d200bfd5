"""Group commit: all hooks that wait when the writer is free go into one script call, and share its fsync."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from relay.bells import Ringer
from relay.errors import StoreUnavailable
from relay.logs import log
from relay.store.keys import INBOX
from relay.store.store import Hook, Store

GROUP_HOOKS = 100  # a script blocks the store while it runs
GROUP_BYTES = 1 << 20
BYTES_IN_FLIGHT = 64 << 20

_Waiting = tuple[Hook, "asyncio.Future[tuple[str, bool]]"]


class GroupCommit:
    """The one writer of a web process. `full` tells whether the store is over its headroom mark."""

    def __init__(self, store: Store, ringer: Ringer, full: Callable[[], bool]) -> None:
        self._store = store
        self._ringer = ringer
        self._full = full
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._late: list[str] = []
        self._work = asyncio.Event()
        self._ringing: set[asyncio.Task[object]] = set()

    async def put(self, hook: Hook, deadline: float) -> tuple[str, bool]:
        """Store a hook; return the receipt's id and whether it is a duplicate of that one.

        Raises StoreUnavailable where it is not certain, by `deadline` (monotonic seconds), that it is stored.
        """
        if self._full():
            raise StoreUnavailable("the store is nearly full")
        if self._bytes + len(hook.body) > BYTES_IN_FLIGHT:
            raise StoreUnavailable("too many bodies wait for the store")
        answer: asyncio.Future[tuple[str, bool]] = asyncio.get_running_loop().create_future()
        self._waiting.append((hook, answer))
        self._bytes += len(hook.body)
        self._work.set()
        timer = asyncio.get_running_loop().call_later(deadline - time.monotonic(), _give_up, answer)
        try:
            return await answer
        finally:
            timer.cancel()

    def answered_late(self, id: str) -> None:
        """Remember that this answer came too late: amoCRM sends the hook again, and that is a duplicate."""
        self._late.append(id)
        self._work.set()

    async def run(self) -> None:
        """Write groups for as long as the process lives."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting or self._late:
                if not await self._write(self._next_group()) and not self._waiting:
                    break  # what is left to say about late answers goes with the next group

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while (
            self._waiting
            and len(group) < GROUP_HOOKS
            and (not group or size + len(self._waiting[0][0].body) <= GROUP_BYTES)
        ):
            hook, answer = self._waiting.popleft()
            self._bytes -= len(hook.body)
            if not answer.done():  # nobody waits for it any more, and it was refused
                group.append((hook, answer))
                size += len(hook.body)
        return group

    async def _write(self, group: list[_Waiting]) -> bool:
        late, self._late = self._late[:GROUP_HOOKS], self._late[GROUP_HOOKS:]
        try:
            accepted = await self._store.accept([hook for hook, _ in group], late)
        except Exception as error:  # noqa: BLE001  a defect here must refuse hooks, not hang them
            if not isinstance(error, StoreUnavailable):
                log.exception("commit.failed", hooks=len(group))
            for _, answer in group:
                if not answer.done():
                    answer.set_exception(StoreUnavailable(str(error)))
            self._late = late + self._late
            return False
        for (_, answer), (id, duplicate) in zip(group, accepted.answers, strict=True):
            if answer.done():
                # Stored, but refused for its lateness: its repetition must count as a duplicate.
                self._late.append(id)
            else:
                answer.set_result((id, duplicate))
        if accepted.rang:
            # Published beside the next group: an answer never waits for a bell.
            task = asyncio.create_task(self._ringer.ring([INBOX]))
            self._ringing.add(task)
            task.add_done_callback(self._ringing.discard)
        return True


def _give_up(answer: "asyncio.Future[tuple[str, bool]]") -> None:
    if not answer.done():
        answer.set_exception(StoreUnavailable("the store gave no answer in time"))
