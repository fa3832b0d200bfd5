"""What the YAML may say, key by key. The settings of a sink are its type's own, and so are a route's content keys."""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Annotated, Any, Literal, Protocol, Self, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from relay.config.api import ApiSettings, make_account_api
from relay.config.findings import did_you_mean, format_value
from relay.config.scalars import Duration, TrustedHost
from relay.config.sink import SinkSettings, Timeout
from relay.retrying import parse_duration

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,256}")
_SIZE = re.compile(r"(\d{1,9})\s*(B|KiB|MiB)?", re.ASCII)
_SIZES = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024, None: 1}


class SinkType(Protocol):
    """What configuration must know about a type of sink."""

    @property
    def Settings(self) -> type[SinkSettings]:  # noqa: N802  a class within a class, named like one
        """Return the model of its part of the file."""

    @property
    def content_keys(self) -> Mapping[str, bool]:
        """Return the keys that a route may give it -> whether the route must."""

    @property
    def takes_all_keys(self) -> bool:
        """Return whether a route may also give it the keys of every other type."""

    @property
    def exclusive_keys(self) -> Sequence[Set[str]]:
        """Return the sets of keys of which a route may give one."""


SinkTypes: TypeAlias = Mapping[str, SinkType]


def all_content_keys(sink_types: SinkTypes) -> frozenset[str]:
    """Return the content keys of all types together."""
    return frozenset(key for sink_type in sink_types.values() for key in sink_type.content_keys)


def _text(value: object) -> object:
    """Read a number as the text it was written as: amoCRM's ids are text on the wire."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _token(token: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("it is part of the hook's address: 1 to 256 of A-Z a-z 0-9 - . _ ~ are possible")
    return token


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # OSError: a folder of zones, such as Europe
        raise ValueError(f"{format_value(name)} is no time zone, {_nearest_zone(name)}") from error
    return name


def _nearest_zone(name: str) -> str:
    near = did_you_mean(name, available_timezones())
    return near if near.startswith("did") else "write it as Europe/Moscow or UTC"


def _size(value: object) -> int:
    found = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or not found:
        raise ValueError(f"{format_value(value)} is not a size: write a whole number and B, KiB or MiB, such as 1MiB")
    return int(found[1]) * _SIZES[found[2]]


Text: TypeAlias = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "integer"]})]
Timezone: TypeAlias = Annotated[str, AfterValidator(_timezone)]
Size: TypeAlias = Annotated[
    int, BeforeValidator(_size), WithJsonSchema({"type": "string", "pattern": r"^\d+\s*(B|KiB|MiB)?$"})
]
Names: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


Fetched: TypeAlias = Annotated[
    tuple[Literal["contacts", "company", "responsible"], ...], BeforeValidator(_one_or_many), Field(min_length=1)
]


class Section(BaseModel):
    """A part of the file. What it does not know is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountSettings(Section):
    """The amoCRM account that a source is. Another account's hook is kept, marked refused, and not routed."""

    subdomain: str = ""
    id: Text = ""


class SourceSettings(Section):
    """An amoCRM account that sends to us, at POST /hooks/<name>/<token>."""

    type: Literal["amocrm"]
    token: Annotated[SecretStr, AfterValidator(_token)] = Field(description="The secret part of the hook's address")
    account: AccountSettings = Field(default_factory=AccountSettings)
    ignore_users: frozenset[Text] = Field(frozenset(), description="Whose changes are not routed: breaks echo loops")
    timezone: Timezone = "UTC"
    api: ApiSettings | None = Field(None, description="The account's own API: for connect, names, fetch and catch-up")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.api is not None:
            make_account_api("", self.api, self.account.subdomain)
        return self


class ApiUserSettings(Section):
    """An application, or whoever runs it, that may subscribe through the amoCRM-compatible API."""

    login: str = Field(min_length=1, max_length=200, description="USER_LOGIN: as a rule an e-mail address")
    hash: SecretStr = Field(description="USER_HASH")
    token: SecretStr = Field(description="Authorization: Bearer <token>")
    source: str = Field(description="The only account whose events it may have")


class Table(RootModel[dict[str, Text]]):
    """A table for the filter lookup('name'). Keys are compared as text, values are texts."""


class RouteSettings(BaseModel):
    """A rule: on which events, where which conditions hold, to which sinks. Its other keys are the sink's content."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(min_length=1, max_length=120)
    source: str | None = Field(None, description="Default: every source")
    on: Names = Field(description="The events' names")
    where: Any = Field(None, description="Conditions on the event's fields; default: always")
    fetch: Fetched = Field((), description="What of a lead is looked up in the account first")
    once: str | None = Field(None, min_length=1, description="A template: at most one delivery for each of its values")
    to: Names = Field(description="One sink, or several of one type")

    @property
    def content(self) -> Mapping[str, Any]:
        """Return the keys that belong to the sink: path, body, phone, text, fields."""
        return self.model_extra or {}


def _lasting(default: str, description: str) -> Any:
    return Field(parse_duration(default), ge=1_000, description=description, json_schema_extra={"default": default})


class IngressSection(Section):
    """How hooks are received."""

    max_body: Annotated[Size, Field(ge=1024, le=16 * 1024 * 1024)] = Field(
        1024 * 1024, description="A larger body is answered 413", json_schema_extra={"default": "1MiB"}
    )


class RetentionSection(Section):
    """How long the past is kept. Nothing that is still to be delivered is ever removed."""

    finished: Duration = _lasting("7d", "Delivered, skipped, unrouted, refused…")
    dead: Duration = _lasting("30d", "Dead letters")
    count: int = Field(200_000, ge=1, description="At most so many receipts: the oldest finished ones go first")


class WorkerSection(Section):
    """How workers take work."""

    inbox_lease: Duration = _lasting("30s", "A receipt that is not routed by then is taken again")
    lease_margin: Duration = _lasting("15s", "A delivery's lease is its sink's timeout and this")
    batch: int = Field(200, ge=1, le=1_000, description="Receipts that one call to the store takes")


class SubscribersSection(Section):
    """Applications that subscribed through the API. Their addresses come from outside."""

    allow: tuple[TrustedHost, ...] = Field(
        (), description="Networks and hosts, not public, that may be sent to all the same"
    )
    timeout: Timeout = Field(2_000, description="amoCRM's own two seconds", json_schema_extra={"default": "2s"})
    concurrency: int = Field(4, ge=1, le=1_000, description="Calls at a time, of one subscriber")


class ConfigFile(Section):
    """The whole file. `sinks` are checked by their types, and `routes` with them."""

    sources: dict[str, SourceSettings] = Field(min_length=1)
    sinks: dict[str, dict[str, Any]] = {}
    tables: dict[str, Table] = {}
    templates: dict[str, Any] = Field({}, description="Bodies that routes refer to by name")
    routes: list[RouteSettings] = []
    api_users: list[ApiUserSettings] = Field([], description="Who may subscribe through the amoCRM-compatible API")
    ingress: IngressSection = Field(default_factory=IngressSection)
    retention: RetentionSection = Field(default_factory=RetentionSection)
    worker: WorkerSection = Field(default_factory=WorkerSection)
    subscribers: SubscribersSection = Field(default_factory=SubscribersSection)
