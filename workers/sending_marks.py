"""Mark that bytes are about to leave: what is about to in the same turn of the loop, in one call to the store."""

import asyncio

from relay.model import Delivery
from relay.store.store import Store

MARKED_AT_ONCE = 100  # a script blocks the store while it runs


class SendingMarks:
    """The marks of a sink's deliveries in a process. There is no timer in it: who is alone is marked alone, at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked: list[tuple[Delivery, asyncio.Future[bool]]] = []
        self._marking: set[asyncio.Task[None]] = set()

    async def mark(self, delivery: Delivery) -> bool:
        """Mark a delivery. False: its lease is lost, and nothing may leave. Raises StoreUnavailable."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append((delivery, answer))
        if len(self._asked) == 1:  # the task runs when this turn of the loop is over
            task = asyncio.create_task(self._mark_asked())
            self._marking.add(task)
            task.add_done_callback(self._marking.discard)
        return await answer

    async def _mark_asked(self) -> None:
        asked, self._asked = self._asked, []
        for at in range(0, len(asked), MARKED_AT_ONCE):
            await self._mark([one for one in asked[at : at + MARKED_AT_ONCE] if not one[1].done()])  # not cut off since

    async def _mark(self, asked: list[tuple[Delivery, "asyncio.Future[bool]"]]) -> None:
        if not asked:
            return
        try:
            marked = await self._store.mark_sending([delivery for delivery, _ in asked])
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait shall know
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), may in zip(asked, marked, strict=True):
            if not answer.done():
                answer.set_result(may)
