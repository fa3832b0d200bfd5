"""The breaker of a sink, as the file has it: from which share of failures on its gate closes."""

from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from relay.config.findings import format_value
from relay.config.scalars import Duration, Share
from relay.config.section import Section
from relay.durations import format_exact_duration
from relay.model import Breaker

_EXAMPLE: Final = "{failures: 50%, minimum: 10, window: 1m}"
_SHORTEST_MS, _LONGEST_MS = 1_000, 3_600_000
_OFF: Final = ("off", False)


def _check_window(ms: int) -> int:
    if not _SHORTEST_MS <= ms <= _LONGEST_MS:
        raise ValueError(f"{format_exact_duration(ms)} is not possible: from 1s to 1h")
    return ms


class BreakerSettings(Section):
    """From which share of failures on, of how many attempts within which time, nothing more leaves for a sink."""

    failures: Annotated[Share, Field(gt=0)] = Field(0.5, json_schema_extra={"default": "50%"})
    minimum: int = Field(10, ge=1, le=100_000, description="Of fewer attempts in the window nothing follows")
    window: Annotated[Duration, AfterValidator(_check_window)] = Field(60_000, json_schema_extra={"default": "1m"})

    @property
    def limits(self) -> Breaker:
        """Return it as the store needs it."""
        return Breaker(share=self.failures, minimum=self.minimum, window_ms=self.window)


def _read_breaker(value: object) -> object:
    if value is False or value == "off":
        return None
    if value is None or isinstance(value, BreakerSettings | dict):
        return {} if value is None else value
    raise ValueError(f"{format_value(value)} is no breaker: write {_EXAMPLE}, or off for none")


class _OrOff:
    """What editors are told: a mapping, or off."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        found = handler(schema)
        return {**found, "anyOf": [found["anyOf"][0], {"enum": list(_OFF)}]}


BreakerSetting: TypeAlias = Annotated[BreakerSettings | None, BeforeValidator(_read_breaker), _OrOff]
"""`{failures: 50%, minimum: 10, window: 1m}`, or off: then it is None."""
