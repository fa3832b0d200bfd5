"""What the YAML may hold, key by key. A sink's settings and its content keys of a route are defined by its type."""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Annotated, Any, Final, Literal, Protocol, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    WithJsonSchema,
    model_validator,
)

from relay.amocrm.event_names import EVENTS
from relay.amocrm.limits import MAX_BODY_SIZE
from relay.config.api import ApiSettings, make_account_api, subdomain_of
from relay.config.findings import format_value
from relay.config.scalars import Duration, IdText, NameList, Share, Size, Timezone, TrustedHost, one_or_many
from relay.config.section import Section
from relay.config.sink import MAX_PENDING, SinkSettings, Timeout
from relay.config.suggestions import did_you_mean
from relay.durations import parse_duration
from relay.secret import SecretStr

KEY_TEMPLATES: Final = ("once", "order", "latest")
"""The keys of a route that are templates of its deliveries' keys, rendered when these are made."""

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_DIGITS = re.compile(r"[0-9]{1,20}")
_PAGES = re.compile(r"https?://[^/?#\s@]+(/[^?#\s]*)?")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,256}")


class SinkType(Protocol):
    """What the configuration must know about a type of sink."""

    @property
    def Settings(self) -> type[SinkSettings]:  # noqa: N802  a class within a class, named like one
        """Return the model of its settings in the file."""

    @property
    def content_keys(self) -> Mapping[str, bool]:
        """Return the content keys that a route may have for it, and whether each is required."""

    @property
    def takes_all_keys(self) -> bool:
        """Return whether a route may also give it the keys of every other type."""

    def check_constant(self, key: str, value: object) -> str | None:
        """Return why the value of a content key must not be the same for every event; None where it may."""

    @property
    def exclusive_keys(self) -> Sequence[Set[str]]:
        """Return sets of content keys that exclude each other."""


SinkTypes: TypeAlias = Mapping[str, SinkType]


def all_content_keys(sink_types: SinkTypes) -> frozenset[str]:
    """Return the content keys of all types together."""
    return frozenset(key for sink_type in sink_types.values() for key in sink_type.content_keys)


def _check_hook_token(token: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("it is part of the hook's address: 1 to 256 of A-Z a-z 0-9 - . _ ~ are possible")
    return token


HookTokens: TypeAlias = Annotated[
    tuple[Annotated[SecretStr, AfterValidator(_check_hook_token)], ...],
    BeforeValidator(one_or_many),
    Field(min_length=1, max_length=5),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 5}]}
    ),
]


def _check_user_id(id: str) -> str:
    if id and not _DIGITS.fullmatch(id):
        raise ValueError(
            f"{format_value(id)} is no user's id: write the number that `relay names` shows, such as 504141"
        )
    return id


def _check_account_id(id: str) -> str:
    if not id or _DIGITS.fullmatch(id):
        return id
    subdomain = subdomain_of(id)
    advice = (
        f"write subdomain: {subdomain}" if subdomain else "amoCRM shows it in the account's settings, or leave it out"
    )
    raise ValueError(f"{format_value(id)} is no account's id, which is a number such as 7039099: {advice}")


def _check_subdomain(text: str) -> str:
    subdomain = subdomain_of(text)
    if subdomain and subdomain != text:
        raise ValueError(f"{format_value(text)} is more than the subdomain: write subdomain: {subdomain}")
    return text


class AccountSettings(Section):
    """The amoCRM account of a source. Hooks of another account are kept, marked refused, and not routed."""

    subdomain: Annotated[str, AfterValidator(_check_subdomain)] = ""
    id: Annotated[IdText, AfterValidator(_check_account_id)] = ""


class SourceSettings(Section):
    """An amoCRM account that sends to us, at POST /hooks/<name>/<token>."""

    type: Literal["amocrm"]
    token: HookTokens = Field(
        description="The secret part of the hook's address; while it is rotated a list: the new one, then the old one"
    )
    account: AccountSettings = Field(default_factory=AccountSettings)
    ignore_users: frozenset[Annotated[IdText, AfterValidator(_check_user_id)]] = Field(
        frozenset(), description="Whose changes are not routed: breaks echo loops"
    )
    timezone: Timezone = "UTC"
    share: Annotated[Share, Field(gt=0)] | None = Field(
        None, description="Of the store: beyond it hooks get 503. Default: 80%, where there are several sources"
    )
    api: ApiSettings | None = Field(None, description="The account's own API: for connect, names, fetch and catch-up")

    @model_validator(mode="after")
    def _check_address(self) -> Self:
        if self.api is not None:
            make_account_api("", self.api, self.account.subdomain)
        return self


class ApiUserSettings(Section):
    """A user of the amoCRM-compatible API, who may subscribe to the events of one source."""

    login: str = Field(min_length=1, max_length=200, description="USER_LOGIN: as a rule an e-mail address")
    hash: SecretStr = Field(description="USER_HASH")
    token: SecretStr = Field(description="Authorization: Bearer <token>")
    source: str = Field(description="The only account whose events it may have")


class Table(RootModel[dict[str, IdText]]):
    """A table for the filter lookup('name'). Keys and values are texts."""


class RouteSettings(BaseModel):
    """A route: its events, conditions and sinks. Its other keys are the content for the sinks."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    name: str = Field(min_length=1, max_length=120)
    source: NameList | None = Field(None, description="One source, or several; default: every source")
    on: NameList = Field(description="The events' names")
    where: Any = Field(None, description="Conditions on the event's fields; default: always")
    fetch: Annotated[
        tuple[Literal["contacts", "company", "responsible"], ...], BeforeValidator(one_or_many), Field(min_length=1)
    ] = Field((), description="What of a lead is looked up in the account first")
    once: str | None = Field(None, min_length=1, description="A template: at most one delivery for each of its values")
    order: str | None = Field(
        None, min_length=1, description="A template: of the deliveries with one value each waits for those before it"
    )
    latest: str | None = Field(
        None, min_length=1, description="A template: of the deliveries with one value that wait only the newest is sent"
    )
    to: NameList = Field(description="One sink, or several of one type")
    each: bool = Field(False, description="Of the relay's own facts: each alone, not what is alike together")
    shadow: bool = Field(False, description="Tries the route out: its deliveries are made and kept, and never sent")

    @property
    def key_templates(self) -> Mapping[str, str]:
        """Return the templates of the keys that its deliveries have."""
        written = {key: getattr(self, key) for key in KEY_TEMPLATES}
        return {key: template for key, template in written.items() if template is not None}

    @property
    def content(self) -> Mapping[str, Any]:
        """Return the keys for the sink: path, body, phone, text, fields."""
        return self.model_extra or {}


def _duration_field(default: str, description: str) -> Any:
    return Field(parse_duration(default), ge=1_000, description=description, json_schema_extra={"default": default})


class IngressSection(Section):
    """How hooks are received."""

    max_body: Annotated[Size, Field(ge=1024, le=MAX_BODY_SIZE)] = Field(
        1024 * 1024,
        description="A larger body is answered 413; one that inflates to more is malformed",
        json_schema_extra={"default": "1MiB"},
    )


class KeptStates(Section):
    """For how long hooks are kept by what became of them; each that is not given as `finished` says."""

    delivered: Duration | None = Field(None, description="With a delivery that was delivered")
    skipped: Duration | None = Field(None, description="All of whose deliveries were skipped")
    shadowed: Duration | None = Field(None, description="Of routes that are only tried out")
    cancelled: Duration | None = Field(None, description="Whose deliveries were given up")
    unrouted: Duration | None = Field(None, description="That no route matched")
    refused: Duration | None = Field(None, description="Of another account, or an ignored user")
    malformed: Duration | None = Field(None, description="That could not be read")


class SourceRetention(KeptStates):
    """The same for one source; what is not given is as for all."""

    finished: Duration | None = Field(None, description="Of what has ended, whatever became of it")
    dead: Duration | None = Field(None, description="With a dead letter")


class RetentionSection(KeptStates):
    """How long finished receipts and deliveries are kept. What is still to be delivered is never removed."""

    finished: Duration = _duration_field("7d", "Delivered, skipped, unrouted, refused…")
    dead: Duration = _duration_field("30d", "Hooks with a dead letter; the audit tells of each that went")
    sources: dict[str, SourceRetention] = Field({}, description="For single sources")
    dead_share: Annotated[Share, Field(gt=0)] = Field(
        0.2, description="Of maxmemory those may take: the oldest go first", json_schema_extra={"default": "20%"}
    )
    count: int = Field(200_000, ge=1, description="At most so many others: the oldest finished ones go first")


class WorkerSection(Section):
    """How workers claim work."""

    inbox_lease: Duration = _duration_field("30s", "A receipt that is not routed by then is claimed again")
    lease_margin: Duration = _duration_field("15s", "A delivery's lease is its sink's timeout and this margin")
    batch: int = Field(200, ge=1, le=1_000, description="Receipts that one call to the store claims")


def _check_pages(text: str) -> str:
    if text and not _PAGES.fullmatch(text):
        raise ValueError(f"{format_value(text)} is not where the pages are: write https://relay.example.com")
    return text.rstrip("/")


class FactsSection(Section):
    """How the relay tells its own facts, to routes with `on: delivery_dead` and the like."""

    language: Literal["en", "ru"] = Field("en", description="Of the ready texts, fact.title and fact.text")
    pages: Annotated[str, AfterValidator(_check_pages)] = Field(
        "", description="Where the operators' pages are reached, for fact.link: https://relay.example.com"
    )


def _check_event(name: str) -> str:
    if name not in EVENTS:
        raise ValueError(f"unknown event {name}, {did_you_mean(name, EVENTS)}")
    return name


EventName: TypeAlias = Annotated[str, AfterValidator(_check_event)]


class SubscribersSection(Section):
    """Applications that subscribed through the API. Their addresses are not the operator's own."""

    allow: tuple[TrustedHost, ...] = Field(
        (), description="Networks and hosts that are not public, and may be sent to all the same"
    )
    timeout: Timeout = Field(2_000, description="amoCRM's own two seconds", json_schema_extra={"default": "2s"})
    concurrency: int = Field(4, ge=1, le=1_000, description="Requests at a time to one subscriber")
    max_pending: int = Field(MAX_PENDING, ge=1, description="Of one subscriber: what is over this waits as hooks alone")
    allowed_events: list[EventName] | None = Field(None, description="Events that may go out; default: any")
    allowed_fields: list[str] | None = Field(
        None, description="Fields that may go out, as amoCRM names them: price, custom_fields.PHONE; default: any"
    )


class ConfigFile(Section):
    """The whole file. `sinks` are checked by their types, and `routes` with them."""

    sources: dict[str, SourceSettings] = Field(min_length=1)
    sinks: dict[str, dict[str, Any]] = Field({})
    tables: dict[str, Table] = Field({})
    templates: dict[str, Any] = Field({}, description="Bodies that routes refer to by name")
    routes: list[RouteSettings] = Field([])
    api_users: list[ApiUserSettings] = Field([], description="Who may subscribe through the amoCRM-compatible API")
    ingress: IngressSection = Field(default_factory=IngressSection)
    retention: RetentionSection = Field(default_factory=RetentionSection)
    worker: WorkerSection = Field(default_factory=WorkerSection)
    subscribers: SubscribersSection = Field(default_factory=SubscribersSection)
    facts: FactsSection = Field(default_factory=FactsSection)
    include: NameList = Field((), description="Files, or patterns of files, whose sections belong to this one")
