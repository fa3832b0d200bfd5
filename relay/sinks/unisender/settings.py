"""What the YAML of a `unisender` sink may say."""

from hashlib import blake2b
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from relay.config.scalars import Duration
from relay.config.sink import SinkSettings
from relay.durations import format_exact_duration
from relay.model import Limit
from relay.retrying import OnUnknown
from relay.secret import SecretStr
from relay.sinks.urls import SinkUrl

MAX_UNISENDER_TIMEOUT_MS = 60_000
MAX_TAGS = 10
MINUTE_MS = 60_000
MAX_SUBSCRIBED_PER_MINUTE, MAX_CALLS_PER_MINUTE = 300, 1200  # per api_key


def _check_timeout(ms: int) -> int:
    if not 0 < ms <= MAX_UNISENDER_TIMEOUT_MS:
        raise ValueError(f"{format_exact_duration(ms)} is not possible: more than 0 and at most 60s")
    return ms


def check_tag(tag: str) -> str:
    """Return a tag. Raise ValueError where they would take it for several."""
    if "," in tag or not tag.strip():
        raise ValueError(f"{tag!r} is no tag: a tag is a text without commas")
    return tag.strip()


ListId: TypeAlias = Annotated[int, Field(gt=0)]
Tag: TypeAlias = Annotated[str, AfterValidator(check_tag)]


class UnisenderSettings(SinkSettings):
    """The account, the lists, and whether contacts get a letter that asks them to confirm.

    `double_optin`: 0 sends the letter, and the contact joins when it has confirmed; 3 sends no letter, because you have
    their consent; 4 adds contacts that exist there and sends new ones the letter. `overwrite`: 0 only adds fields, 2
    replaces those that are sent, 1 also deletes the others and takes the contact off other lists.
    """

    api_key: Annotated[SecretStr, Field(min_length=1)]
    list_ids: Annotated[list[ListId], Field(min_length=1)]
    tags: list[Tag] = Field(default=[], max_length=MAX_TAGS)
    double_optin: Literal[0, 3, 4]
    overwrite: Literal[0, 1, 2] = 2
    allow_destructive_overwrite: bool = False
    lang: Literal["en", "ru"] = "en"
    url: SinkUrl = "https://api.unisender.com"
    timeout: Annotated[Duration, AfterValidator(_check_timeout)] = Field(35_000, json_schema_extra={"default": "35s"})

    @model_validator(mode="after")
    def _not_destructive(self) -> Self:
        if self.overwrite == 1 and not self.allow_destructive_overwrite:
            raise ValueError(
                "overwrite: 1 wipes a contact's other fields and takes it off its other lists: write 2, or"
                " allow_destructive_overwrite: true where that is meant"
            )
        return self

    @property
    def looks_up(self) -> bool:
        """A contact is found by its e-mail address."""
        return True

    @property
    def action_on_unknown(self) -> OnUnknown:
        """Repeat it where no letter is sent; else look it up, because nobody should get a second letter."""
        return self.on_unknown or ("retry" if self.double_optin == 3 else "lookup")

    @property
    def batches(self) -> bool:
        """Return whether an import does the same as single calls: it sends no letters, and replaces the fields sent."""
        return (self.double_optin, self.overwrite, self.action_on_unknown) == (3, 2, "retry")

    def limits(self, name: str) -> tuple[Limit, ...]:
        """Build the limits. They count by api_key, so all sinks with the same key share them."""
        secret = f"{self.url} {self.api_key.get_secret_value()}".encode()
        key = f"unisender:{blake2b(secret, digest_size=8).hexdigest()}"
        return (
            *super().limits(name),
            Limit(key=f"{key}:subscribe", count=MAX_SUBSCRIBED_PER_MINUTE, per_ms=MINUTE_MS),
            Limit(key=key, count=MAX_CALLS_PER_MINUTE, per_ms=MINUTE_MS),
        )
