"""Refuse in time what waits for the store, with one timer for all: one each costs as much as reading the request."""

import asyncio
import heapq
import time
from itertools import count
from typing import Generic, TypeVar

from relay.errors import StoreUnavailable

T = TypeVar("T")


class DeadlineQueue(Generic[T]):
    """Futures that somebody waits for, each until its deadline (monotonic seconds)."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, asyncio.Future[T]]] = []  # slow clients do not come in order
        self._sequence = count()  # futures do not compare
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def add(self, deadline: float) -> "asyncio.Future[T]":
        """Return a new future that raises StoreUnavailable unless it has a result by its deadline."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        heapq.heappush(self._heap, (deadline, next(self._sequence), future))
        if self._timer is None or deadline < self._timer_at:
            self._set_timer(loop, deadline)
        return future

    def discard_done(self) -> None:
        """Discard futures that are done, as far as none before them is waited for."""
        while self._heap and self._heap[0][2].done():
            heapq.heappop(self._heap)

    def _set_timer(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = loop.call_later(deadline - time.monotonic(), self._expire)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].done()):
            future = heapq.heappop(self._heap)[2]
            if not future.done():
                future.set_exception(StoreUnavailable("the store gave no answer in time"))
        self._timer = None
        if self._heap:
            self._set_timer(asyncio.get_running_loop(), self._heap[0][0])
