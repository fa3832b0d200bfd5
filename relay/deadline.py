"""Until when something is waited for, without a timer for each time."""

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """Calls `pass_` where a deadline passes. Most end long before: one timer serves all that begin while it runs."""

    def __init__(self, pass_: Callable[[], None]) -> None:
        self._pass = pass_
        self._at = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self.passed = False

    def begin(self, at: float, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until a time of the loop's clock, or until `end`."""
        self._at, self.passed = at, False
        if self._timer is not None and self._timer.when() > at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and at < math.inf:
            self._timer = loop.call_at(at, self._look, loop)

    def end(self) -> None:
        """Wait no more."""
        self._at = math.inf

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._at <= loop.time():
            self.passed = True
            self._pass()
        elif self._at < math.inf:
            self._timer = loop.call_at(self._at, self._look, loop)
