"""A claim of a sink that is ready to be sent: by its drainer, or by the router with what it writes."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from relay.model import Delivery
from relay.sinks.base import Sink
from relay.store.requests import sink_claim_request
from relay.store.wire.claims import ClaimRequest
from workers.claim_tokens import ClaimTokens


@dataclass(frozen=True)
class PreparedClaim:
    """What is asked for, and the time that its attempts have: monotonic seconds."""

    sink: Sink
    request: ClaimRequest
    deadline: float

    @property
    def overdue(self) -> bool:
        """Return whether the answer took longer than an attempt may: then what was taken is given back."""
        return time.monotonic() >= self.deadline


def prepare_claim(
    sink: Sink,
    free: int,
    tokens: ClaimTokens,
    margin_ms: int,
    *,
    ahead: int = 0,
    holds_ahead: bool = False,
    back: Sequence[Delivery] = (),
) -> PreparedClaim:
    """Ask for what fills the free slots, and for more ahead. Its lease is longer than an attempt by `margin_ms`."""
    request = sink_claim_request(
        sink.name,
        tokens.new(),
        free,
        sink.lease_ms + margin_ms,
        sink.concurrency,
        sink.limits,
        (sink.batch, sink.batch_from),
        tokens.unheard,
        ahead=ahead,
        holds_ahead=holds_ahead,
        back=back,
    )
    # The first half of the margin is for the store's calls before the attempt, the second for the settlement.
    return PreparedClaim(sink, request, time.monotonic() + (sink.lease_ms + margin_ms / 2) / 1000)


class ClaimsElsewhere:
    """The claims of a drainer that the router makes at the moment, by their tokens."""

    def __init__(self) -> None:
        self._tokens: set[str] = set()
        self._answered = asyncio.Event()

    def add(self, token: str) -> None:
        """Note that a claim is being made."""
        self._tokens.add(token)

    def end(self, token: str) -> None:
        """Note that it was answered, or that its answer was lost."""
        self._tokens.discard(token)
        self._answered.set()

    async def wait(self, seconds: float) -> None:
        """Wait until there is none, for so long at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tokens:
                    self._answered.clear()
                    await self._answered.wait()
