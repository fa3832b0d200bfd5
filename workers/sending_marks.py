"""Mark that bytes are about to leave; the marks that are asked for in one loop tick share a call to the store."""

import asyncio

from relay.model import Delivery
from relay.store.parts import CALL_ITEMS
from relay.store.store import Store


class SendingMarks:
    """The marks of a sink's deliveries in a process. There is no timer: a single one is marked at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Delivery, asyncio.Future[bool]]] = []
        self._calls: set[asyncio.Task[None]] = set()

    async def mark(self, delivery: Delivery) -> bool:
        """Mark a delivery. Returns False where its lease is lost: nothing may leave. Raises StoreUnavailable."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, answer))
        if len(self._waiting) == 1:  # the task runs after this loop tick
            task = asyncio.create_task(self._mark_waiting())
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        return await answer

    async def _mark_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for at in range(0, len(waiting), CALL_ITEMS):
            await self._mark([one for one in waiting[at : at + CALL_ITEMS] if not one[1].done()])  # not cancelled since

    async def _mark(self, waiting: list[tuple[Delivery, "asyncio.Future[bool]"]]) -> None:
        if not waiting:
            return
        try:
            marked = await self._store.mark_sending([delivery for delivery, _ in waiting])
        except Exception as error:  # noqa: BLE001  whatever it is, every waiting attempt must get it
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), allowed in zip(waiting, marked, strict=True):
            if not answer.done():
                answer.set_result(allowed)
