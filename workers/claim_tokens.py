"""The tokens of claims, and which of them the store may have carried out without its answer being heard."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LATE_SECONDS: Final = 30.0  # a call that was given up may be carried out so much later


class ClaimTokens:
    """The tokens of one agent of a worker. What is held under a token of which it heard nothing is given back."""

    def __init__(self, worker: str, agent: str = "") -> None:
        self._prefix = f"{worker}:{agent}"
        self._claims = 0
        self._unheard: dict[str, float] = {}  # until when each is told to the store, monotonic seconds

    def new(self) -> str:
        """Return the token of the next claim."""
        self._claims += 1
        return f"{self._prefix}{self._claims}"

    @property
    def unheard(self) -> list[str]:
        """Return the tokens under which this agent works at nothing, though the store may have given it something."""
        now = time.monotonic()
        self._unheard = {token: until for token, until in self._unheard.items() if until > now}
        return list(self._unheard)

    @contextmanager
    def used(self, token: str, lease_ms: int) -> Iterator[None]:
        """Claim, or work at all that a claim gave; where that fails, nothing of it goes on, and it is given back."""
        try:
            yield
        except BaseException:
            self.give_back(token, lease_ms)
            raise

    def give_back(self, token: str, lease_ms: int) -> None:
        """Tell the store with the next claims that nobody works at what this one took."""
        self._unheard[token] = time.monotonic() + lease_ms / 1000 + LATE_SECONDS
