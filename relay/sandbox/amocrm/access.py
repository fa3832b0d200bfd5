"""What the fake account enforces: a limit of requests a second, then a block, and tokens that expire."""

import itertools
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LONG_LIVED: Final = "sandbox-long-lived-token"
CLIENT_ID: Final = "sandbox-integration"
CLIENT_SECRET: Final = "sandbox-secret"
REDIRECT_URI: Final = "https://relay.example/"
FIRST_REFRESH: Final = "sandbox-refresh-0"

_BLOCKING_REFUSALS, _BLOCKING_SECONDS = 25, 10.0
_DAY = 86_400


@dataclass
class RequestLimits:
    """At most `rate` requests a second. A client that is refused again and again is blocked for a while."""

    rate: int = 7
    retry_after: int | None = None  # seconds, in the answer 429
    block_seconds: float = 60.0
    blocked_until: float = 0.0
    throttled: int = 0
    _admitted: deque[float] = field(default_factory=deque)
    _refusals: deque[float] = field(default_factory=deque)

    def refusal(self, now: float) -> int | None:
        """Count a request at a time (seconds). Returns 429 or 403 where it is refused."""
        if now < self.blocked_until:
            return 403
        while self._admitted and self._admitted[0] <= now - 1:
            self._admitted.popleft()
        if len(self._admitted) < self.rate:
            self._admitted.append(now)
            return None
        self.throttled += 1
        self._refusals.append(now)
        while self._refusals[0] <= now - _BLOCKING_SECONDS:
            self._refusals.popleft()
        if len(self._refusals) >= _BLOCKING_REFUSALS:
            self.blocked_until = now + self.block_seconds
        return 429


@dataclass
class IssuedTokens:
    """The integration's tokens. A refresh token works once."""

    lifetime: int = _DAY
    refreshes: int = 0
    refused: int = 0
    long_lived: bool = True
    _access: dict[str, float] = field(default_factory=dict)  # token -> when it expires
    _refresh: str = FIRST_REFRESH
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def known(self, authorization: str, now: float) -> bool:
        """Return whether a request's Authorization header is valid."""
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer":
            return False
        return (token == LONG_LIVED and self.long_lived) or self._access.get(token, 0) > now

    def exchange(self, given: Mapping[str, object], now: float) -> Mapping[str, object] | None:
        """Return new tokens for a refresh token; None where anything is wrong, or the token was used before."""
        expected = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": REDIRECT_URI,
            "grant_type": "refresh_token",
            "refresh_token": self._refresh,
        }
        if any(given.get(key) != value for key, value in expected.items()):
            self.refused += 1
            return None
        self.refreshes += 1
        number = next(self._numbers)
        access, self._refresh = f"sandbox-access-{number}", f"sandbox-refresh-{number}"
        self._access[access] = now + self.lifetime
        return {
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "access_token": access,
            "refresh_token": self._refresh,
        }

    def expire(self) -> None:
        """Revoke every access token, whatever its lifetime."""
        self._access.clear()

    def revoke(self) -> None:
        """Revoke every token, the refresh token and the long-lived one too."""
        self.expire()
        self.long_lived = False
        self._refresh = f"revoked-{next(self._numbers)}"
