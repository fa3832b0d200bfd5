"""Refuse in time what waits for the store, with one timer for all: one each costs as much as reading the request."""

import asyncio
import heapq
import time
from itertools import count
from typing import Generic, TypeVar

from relay.errors import StoreUnavailable

T = TypeVar("T")


class DeadlineQueue(Generic[T]):
    """Answers that are waited for, each until its deadline (monotonic seconds)."""

    def __init__(self) -> None:
        self._waited_for: list[tuple[float, int, asyncio.Future[T]]] = []  # a heap: slow clients come out of turn
        self._numbers = count()  # futures do not compare
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0

    def answer(self, deadline: float) -> "asyncio.Future[T]":
        """Make an answer that raises StoreUnavailable where it is not given by its deadline."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        heapq.heappush(self._waited_for, (deadline, next(self._numbers), answer))
        if self._timer is None or deadline < self._rings_at:
            self._ring_at(loop, deadline)
        return answer

    def forget_given(self) -> None:
        """Drop the answers that were given; those behind one that was not have their turn later."""
        while self._waited_for and self._waited_for[0][2].done():
            heapq.heappop(self._waited_for)

    def _ring_at(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = deadline
        self._timer = loop.call_later(deadline - time.monotonic(), self._refuse_late)

    def _refuse_late(self) -> None:
        now = time.monotonic()
        while self._waited_for and (self._waited_for[0][0] <= now or self._waited_for[0][2].done()):
            answer = heapq.heappop(self._waited_for)[2]
            if not answer.done():
                answer.set_exception(StoreUnavailable("the store gave no answer in time"))
        self._timer = None
        if self._waited_for:
            self._ring_at(asyncio.get_running_loop(), self._waited_for[0][0])
