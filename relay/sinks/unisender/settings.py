"""What the YAML of a `unisender` sink may say."""

from hashlib import blake2b
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, model_validator

from relay.config.scalars import Duration
from relay.config.sink import SinkSettings
from relay.model import Limit
from relay.retrying import OnUnknown, format_duration
from relay.sinks.urls import check_url

LONGEST_TIMEOUT_MS = 60_000
MOST_TAGS = 10
MINUTE_MS = 60_000
SUBSCRIBED_A_MINUTE, CALLED_A_MINUTE = 300, 1200  # per key, as they count


def _bearable(ms: int) -> int:
    if not 0 < ms <= LONGEST_TIMEOUT_MS:
        raise ValueError(f"{format_duration(ms)} is not possible: more than 0 and at most 60s")
    return ms


def check_tag(tag: str) -> str:
    """Return a tag. Raise ValueError where it would be taken for several."""
    if "," in tag or not tag.strip():
        raise ValueError(f"{tag!r} is no tag: a tag is a text without commas")
    return tag.strip()


ListId: TypeAlias = Annotated[int, Field(gt=0)]
Tag: TypeAlias = Annotated[str, AfterValidator(check_tag)]


class UnisenderSettings(SinkSettings):
    """Whose account, which lists, and whether contacts get a letter that asks them to confirm.

    `double_optin`: 0 sends the letter, and the contact waits outside the lists until it is answered; 3 says that you
    have their consent, no letter; 4 adds known contacts and sends new ones the letter. `overwrite`: 0 only adds
    fields, 2 replaces those that are sent, 1 wipes the others and takes the contact off other lists.
    """

    api_key: Annotated[SecretStr, Field(min_length=1)]
    list_ids: Annotated[list[ListId], Field(min_length=1)]
    tags: list[Tag] = Field(default=[], max_length=MOST_TAGS)
    double_optin: Literal[0, 3, 4]
    overwrite: Literal[0, 1, 2] = 2
    allow_destructive_overwrite: bool = False
    lang: Literal["en", "ru"] = "en"
    url: Annotated[str, AfterValidator(check_url)] = "https://api.unisender.com"
    timeout: Annotated[Duration, AfterValidator(_bearable)] = Field(35_000, json_schema_extra={"default": "35s"})

    @model_validator(mode="after")
    def _not_destructive(self) -> "UnisenderSettings":
        if self.overwrite == 1 and not self.allow_destructive_overwrite:
            raise ValueError(
                "overwrite: 1 wipes a contact's other fields and takes it off its other lists: write 2, or"
                " allow_destructive_overwrite: true where that is meant"
            )
        return self

    @property
    def looks_up(self) -> bool:
        """They tell what they know of an e-mail address."""
        return True

    @property
    def unknown(self) -> OnUnknown:
        """Without a letter a repetition harms nobody; a second letter would."""
        return self.on_unknown or ("retry" if self.double_optin == 3 else "lookup")

    @property
    def batches(self) -> bool:
        """Return whether an import does what single calls would: it sends no letter and replaces what is sent."""
        return (self.double_optin, self.overwrite, self.unknown) == (3, 2, "retry")

    def limits(self, name: str) -> tuple[Limit, ...]:
        """Build the limits: they count by key, so all sinks that use one share them."""
        secret = f"{self.url} {self.api_key.get_secret_value()}".encode()
        key = f"unisender:{blake2b(secret, digest_size=8).hexdigest()}"
        return (
            *super().limits(name),
            Limit(key=f"{key}:subscribe", count=SUBSCRIBED_A_MINUTE, per_ms=MINUTE_MS),
            Limit(key=key, count=CALLED_A_MINUTE, per_ms=MINUTE_MS),
        )
