"""What every sink's YAML may say, whatever its type. A sink's own settings inherit from this."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from relay.config.scalars import Duration, Rate
from relay.model import Limit
from relay.retrying import DEFAULT_ATTEMPTS, DEFAULT_SCHEDULE, OnUnknown, Policy, fixed_schedule, format_duration

LONGEST_TIMEOUT_MS = 20_000  # leases and the 18 s of a shutdown are measured by it


def _within_lease(ms: int) -> int:
    if not 0 < ms <= LONGEST_TIMEOUT_MS:
        raise ValueError(f"{format_duration(ms)} is not possible: more than 0 and at most 20s")
    return ms


Timeout: TypeAlias = Annotated[Duration, AfterValidator(_within_lease)]


class SinkSettings(BaseModel):
    """The keys common to all sinks. Durations are milliseconds once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    rate: Rate | None = None
    concurrency: int = Field(default=8, ge=1, le=1000)
    timeout: Timeout = Field(15_000, json_schema_extra={"default": "15s"})
    retry: list[Duration] | None = None
    attempts: int | None = Field(default=None, ge=1)
    max_age: Duration | None = None
    on_unknown: OnUnknown | None = None
    blocked_for: Duration = Field(60_000, json_schema_extra={"default": "1m"})

    @field_validator("retry")
    @classmethod
    def _some_wait(cls, waits: list[int] | None) -> list[int] | None:
        if waits == []:
            raise ValueError("an empty list waits for nothing: to try only once write attempts: 1")
        return waits

    @model_validator(mode="after")
    def _can_look_up(self) -> "SinkSettings":
        if self.on_unknown == "lookup" and not self.looks_up:
            raise ValueError(
                "on_unknown: lookup is not possible, this sink has nothing to look at: write hold or retry"
            )
        return self

    @property
    def looks_up(self) -> bool:
        """Return whether the sink can find out what became of an attempt with unknown outcome."""
        return False

    @property
    def unknown(self) -> OnUnknown:
        """What an attempt with unknown outcome leads to. A sink that is harmless to repeat says so here."""
        return self.on_unknown or "hold"

    @property
    def policy(self) -> Policy:
        """Build the retry policy. A list of n waits means n + 1 attempts; more `attempts` repeat its last wait."""
        own_attempts = len(self.retry) + 1 if self.retry else DEFAULT_ATTEMPTS
        return Policy(
            attempts=self.attempts or own_attempts,
            max_age_ms=self.max_age,
            schedule=fixed_schedule(self.retry) if self.retry else DEFAULT_SCHEDULE,
            on_unknown=self.unknown,
            blocked_ms=self.blocked_for,
        )

    def limits(self, name: str) -> tuple[Limit, ...]:
        """Build the limits of the sink called `name`, counted over all workers."""
        if self.rate is None:
            return ()
        count, per_ms = self.rate
        return (Limit(key=name, count=count, per_ms=per_ms),)
