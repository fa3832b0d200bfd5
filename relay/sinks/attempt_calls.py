"""The calls of one attempt, where it takes more than one: a look-up, a token, and the request itself."""

import asyncio
import time

import msgspec

from relay.model import Limit, Outcome, Result
from relay.sinks.tools import Tools
from relay.transport import Answer, Request, TransportFailure, call

_ROUNDING_MS = 10  # a first call has the whole timeout, though a few milliseconds have passed
_MIN_SHARE = 1 / 3  # of the timeout: with less time a call would be cut before a working server can answer


class EndAttempt(Exception):
    """The attempt ends here with this result. No further call of it is made."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.reason)
        self.result = result


class AttemptCalls:
    """Makes the calls of an attempt, all within the sink's timeout and limits.

    One call is granted with the claim (`granted`), each further one takes a grant of its own.
    """

    def __init__(self, tools: Tools, timeout_ms: int, limits: tuple[Limit, ...], *, granted: bool = True) -> None:
        self.tools = tools
        self._timeout_ms = timeout_ms
        self._ends = time.monotonic() + timeout_ms / 1000
        self._limits = limits
        self._granted = granted

    @property
    def now(self) -> int:
        """Return the time in epoch milliseconds."""
        return int(self.tools.now() * 1000)

    @property
    def _left_ms(self) -> int:
        return int((self._ends - time.monotonic()) * 1000)

    async def call(self, request: Request, *, limited: bool = True) -> Answer:
        """Call within the time that is left. `limited`: it counts against the sink's limits. Raise EndAttempt."""
        if limited:
            await self._grant()
        left_ms = self._left_ms
        if left_ms < self._timeout_ms * _MIN_SHARE:
            reason = "the calls before it took all the time"
            return TransportFailure(kind="timeout_before_write", reason=reason, sent=False)
        if left_ms < self._timeout_ms - _ROUNDING_MS or request.timeout_ms != self._timeout_ms:
            request = msgspec.structs.replace(request, timeout_ms=left_ms)
        return await call(self.tools.session, request)

    async def _grant(self) -> None:
        if self._granted or not self._limits:
            self._granted = False
            return
        while wait_ms := await self.tools.shared.take_grant(self._limits):
            if self._left_ms - wait_ms < self._timeout_ms * _MIN_SHARE:
                reason = "the sink's rate leaves no room for a further call now"
                raise EndAttempt(Result(outcome=Outcome.THROTTLED, reason=reason, after_ms=wait_ms))
            await asyncio.sleep(wait_ms / 1000)
