"""The settings that every sink has, whatever its type. The settings of each type inherit from them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import AfterValidator, Field, PrivateAttr, field_validator, model_validator

from relay.config.breaker import BreakerSetting, BreakerSettings
from relay.config.scalars import Duration, ProxySetting, Rate
from relay.config.section import Section
from relay.config.validation import find_secrets
from relay.durations import format_exact_duration
from relay.masking import is_secret_header
from relay.model import Breaker, Limit
from relay.retrying import DEFAULT_ATTEMPTS, DEFAULT_SCHEDULE, OnUnknown, Policy, fixed_schedule

if TYPE_CHECKING:  # with it Jinja is imported, which few commands need
    from relay.rendering import Markup

MAX_PENDING = 100_000  # deliveries of a sink: about 150 MB
MAX_TIMEOUT_MS = 20_000  # leases and the 18 s of a shutdown depend on it


def _check_timeout(ms: int) -> int:
    if not 0 < ms <= MAX_TIMEOUT_MS:
        raise ValueError(f"{format_exact_duration(ms)} is not possible: more than 0 and at most 20s")
    return ms


Timeout: TypeAlias = Annotated[Duration, AfterValidator(_check_timeout)]


class SinkSettings(Section):
    """The settings that all sinks have. Durations are in milliseconds."""

    _address_secrets: tuple[str, ...] = PrivateAttr(())
    _header_secrets: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    type: str
    rate: Rate | None = None
    concurrency: int = Field(default=8, ge=1, le=1000)
    timeout: Timeout = Field(15_000, json_schema_extra={"default": "15s"})
    retry: list[Duration] | None = None
    attempts: int | None = Field(default=None, ge=1)
    max_age: Duration | None = None
    on_unknown: OnUnknown | None = None
    max_pending: int = Field(
        MAX_PENDING, ge=1, description="What is over this waits as hooks alone, and takes less of the store"
    )
    blocked_for: Duration = Field(60_000, json_schema_extra={"default": "1m"})
    breaker: BreakerSetting = Field(
        default_factory=BreakerSettings, description="From which share of failures on nothing leaves; off: none"
    )
    allowed_fields: list[str] | None = Field(
        None, description="What templates may send to it: lead.price, contact.custom.Город, company; default: anything"
    )
    proxy: ProxySetting | None = Field(None, description="Default: as HTTPS_PROXY and NO_PROXY say; false: none")

    @field_validator("retry")
    @classmethod
    def _check_retry(cls, waits: list[int] | None) -> list[int] | None:
        if waits == []:
            raise ValueError("an empty list waits for nothing: to try only once write attempts: 1")
        return waits

    @model_validator(mode="after")
    def _check_on_unknown(self) -> "SinkSettings":
        if self.on_unknown == "lookup" and not self.looks_up:
            raise ValueError(
                "on_unknown: lookup is not possible, this sink has nothing to look at: write hold or retry"
            )
        return self

    @property
    def uses_source_timezone(self) -> bool:
        """Return whether its hours are in the source's time zone, unless a route says another."""
        return False

    @property
    def address_secrets(self) -> tuple[str, ...]:
        """Return what must not be shown of the addresses: what came from the environment into their paths."""
        return self._address_secrets

    def hide_in_addresses(self, values: Iterable[str]) -> None:
        """Add to what must not be shown of the addresses. For whoever reads the file."""
        self._address_secrets = (*self._address_secrets, *filter(None, values))

    def hide_header(self, name: str, values: Iterable[str]) -> None:
        """Hide a header, and the values that came from the environment into it. For whoever reads the file."""
        self._header_secrets[name.lower()] = tuple(filter(None, values))

    def hides_header(self, name: str) -> bool:
        """Return whether a header's value must not be shown."""
        return is_secret_header(name) or name.lower() in self._header_secrets

    def hidden_values(self) -> Iterator[str]:
        """Yield what must never be shown: secrets, and what is secret in the addresses and of the proxy.

        A header is one by its name, or by what it holds of the environment: most values of headers are no secrets, and
        ordinary words.
        """
        for path, secret in find_secrets(self):
            if path[0] != "headers" or self.hides_header(str(path[-1])):
                yield secret.get_secret_value()
        yield from self.address_secrets
        for values in self._header_secrets.values():
            yield from values
        if self.proxy:
            yield from self.proxy.hidden_values()

    @property
    def looks_up(self) -> bool:
        """Return whether the sink can look up what became of an attempt whose outcome is unknown."""
        return False

    @property
    def action_on_unknown(self) -> OnUnknown:
        """What follows an attempt whose outcome is unknown. A sink that is harmless to repeat has another default."""
        return self.on_unknown or "hold"

    @property
    def policy(self) -> Policy:
        """The retry policy. A list of n waits means n + 1 attempts; more `attempts` repeat its last wait."""
        default_attempts = len(self.retry) + 1 if self.retry else DEFAULT_ATTEMPTS
        return Policy(
            attempts=self.attempts or default_attempts,
            max_age_ms=self.max_age,
            schedule=fixed_schedule(self.retry) if self.retry else DEFAULT_SCHEDULE,
            on_unknown=self.action_on_unknown,
            blocked_ms=self.blocked_for,
        )

    @property
    def breaker_limits(self) -> Breaker | None:
        """Return from which share of failures on its gate closes; None: from none."""
        return None if self.breaker is None else self.breaker.limits

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the addresses that it calls beside those that its settings write as URLs."""
        return ()

    def markup(self, _key: str) -> "Markup | None":
        """Return what the texts of a content key are written in, for which the values in them are escaped."""
        return None

    def warnings(self, _contents: Iterable[Mapping[str, object]]) -> Iterator[str]:
        """Yield what works but is not fit for production. `_contents`: what its routes say to send."""
        yield from ()

    def limits(self, name: str) -> tuple[Limit, ...]:
        """Return the limits of the sink called `name`, counted over all workers."""
        if self.rate is None:
            return ()
        count, per_ms = self.rate
        return (Limit(key=name, count=count, per_ms=per_ms),)
