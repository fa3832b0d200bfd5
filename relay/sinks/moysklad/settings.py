"""What the YAML of a `moysklad` sink may say, and the limits of MoySklad's API 1.2."""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Self

from pydantic import Field, model_validator

from relay.config.sink import SinkSettings
from relay.model import Limit
from relay.retrying import OnUnknown
from relay.secret import SecretStr
from relay.sinks.urls import SinkUrl

URL: Final = "https://api.moysklad.ru/api/remap/1.2"
MAX_PARALLEL: Final = 5  # calls of one user at a time

RATES: Final[Sequence[tuple[datetime, int]]] = (
    (datetime(2026, 12, 1, tzinfo=UTC), 11),
    (datetime.min.replace(tzinfo=UTC), 15),
)
"""Requests in 3 seconds, each from a date on, the latest first."""
# 200 identical failures in a minute and their support must restore the access: so never 200 calls.
MAX_PER_MINUTE: Final = 190


def rate_at(now: datetime) -> tuple[int, int]:
    """Return how many requests in how many milliseconds they allow at a time.

    It is asked when the configuration is read. A process that lives past such a date gets 429s, which the limit per
    minute keeps harmless.
    """
    return next(count for since, count in RATES if since <= now), 3_000


class MoySkladSettings(SinkSettings):
    """The user at MoySklad, as `token` or `login` and `password`, and the id of your own organization there."""

    url: SinkUrl = URL
    token: SecretStr | None = None
    login: str | None = None
    password: SecretStr | None = None
    organization: uuid.UUID
    concurrency: int = Field(default=MAX_PARALLEL, ge=1, le=MAX_PARALLEL)

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.token is None) == (self.login is None) or (self.login is None) != (self.password is None):
            raise ValueError("give either token, or login and password")
        return self

    @property
    def looks_up(self) -> bool:
        """An invoice is found by its external code."""
        return True

    @property
    def action_on_unknown(self) -> OnUnknown:
        """Repeat it: they recognise a repetition by its syncId."""
        return self.on_unknown or "retry"

    @property
    def secret(self) -> SecretStr:
        """Return the token, or the password."""
        secret = self.token or self.password
        assert secret
        return secret

    def limits(self, _: str) -> tuple[Limit, ...]:
        """Build the limits, counted for the user over all sinks. Their keys name the user by a digest."""
        count, per_ms = self.rate or rate_at(datetime.now(UTC))
        digest = hashlib.sha256(f"{self.login or ''}\0{self.secret.get_secret_value()}".encode()).hexdigest()[:16]
        key = f"moysklad:{digest}"
        return Limit(key=key, count=count, per_ms=per_ms), Limit(
            key=f"{key}:minute", count=MAX_PER_MINUTE, per_ms=60_000
        )
