"""What the YAML of a sink for text messages may say, whatever its gateway."""

from decimal import Decimal
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from relay.config.scalars import Duration, Timezone, one_or_many
from relay.config.sink import SinkSettings
from relay.durations import parse_duration
from relay.errors import RejectDelivery, SkipDelivery
from relay.sinks.sms.content import check_sender
from relay.sinks.sms.phone_numbers import DEFAULT_REGIONS, parse_phone
from relay.sinks.sms.rules import SendingRules
from relay.sinks.sms.windows import parse_hours, parse_window


def _region(name: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS  # loads 48 MB: only sinks for texts need it

    if name not in SUPPORTED_REGIONS:
        raise ValueError(f"{name!r} is no region: write two capital letters, such as RU, KZ or BY")
    return name


def _check_hours(text: str) -> str:
    parse_hours(text)
    return text


Sender = Annotated[str, AfterValidator(check_sender)]
WindowHours = Annotated[
    list[Annotated[str, AfterValidator(_check_hours)]],
    BeforeValidator(one_or_many),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
            "examples": ["10:00-20:00", "mon-fri 09:00-20:00", ["mon-fri 09:00-20:00", "sat,sun 10:00-18:00"]],
        }
    ),
]
Money = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=4), WithJsonSchema({"type": ["number", "string"]})]


class SmsSettings(SinkSettings):
    """Whom to text and when.

    `window`: hours of the recipient's week, in the time zone that the route gives, else in this `timezone`, else in the
    account's. `cooldown`: how long the same text to the same number is skipped; 0s: never. `per_number`, `per_day`:
    texts in a day of `timezone`. `monthly_budget`: no text is sent beyond it; a text counts by `segment_price` until
    its cost is known.
    """

    sender: Sender | None = None
    regions: list[Annotated[str, AfterValidator(_region)]] = Field(list(DEFAULT_REGIONS), min_length=1)
    timezone: Timezone | None = None
    window: WindowHours | None = None
    stop_list: list[str] = Field(default_factory=list)
    cooldown: Duration = Field(parse_duration("10m"), json_schema_extra={"default": "10m"})
    per_number: int | None = Field(default=None, ge=1)
    per_day: int | None = Field(default=None, ge=1)
    monthly_budget: Money | None = None
    segment_price: Money | None = None
    max_segments: int = Field(default=10, ge=1)

    @field_validator("stop_list")
    @classmethod
    def _numbers(cls, numbers: list[str], info: Any) -> list[str]:
        try:
            return [parse_phone(number, info.data.get("regions", DEFAULT_REGIONS)) for number in numbers]
        except (RejectDelivery, SkipDelivery) as error:
            raise ValueError(str(error).removeprefix("phone: ")) from None

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.monthly_budget is not None and not self.segment_price:
            raise ValueError("monthly_budget needs segment_price: a text counts by it until its cost is known")
        return self

    @property
    def uses_source_timezone(self) -> bool:
        """Return whether it has hours, and no time zone of its own."""
        return self.window is not None and self.timezone is None

    def sending_rules(self, sink: str) -> SendingRules:
        """Return the rules for the sink of this name."""
        return SendingRules(
            sink=sink,
            window=parse_window(self.window) if self.window else None,
            zone=ZoneInfo(self.timezone) if self.timezone else None,
            stop_list=frozenset(self.stop_list),
            cooldown_ms=self.cooldown,
            per_number=self.per_number,
            per_day=self.per_day,
            monthly_budget=self.monthly_budget,
            segment_price=self.segment_price or Decimal(0),
        )
