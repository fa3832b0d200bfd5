"""What the YAML of an `http` sink may say."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, Self, TypeAlias

import msgspec
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)

from relay.config.section import Section
from relay.config.sink import SinkSettings
from relay.errors import RejectDelivery
from relay.model import Json
from relay.retrying import OnUnknown, Policy
from relay.secret import SecretStr
from relay.sinks.answer_checks import AnswerChecks, AnyOf
from relay.sinks.http.auth import Auth, ClientCertificate, HeaderName, HeaderValue
from relay.sinks.http.content import Method
from relay.sinks.http.idempotency import ACTIONS, NOT_SAID, REPEATABLE_METHODS, Idempotency, contradiction
from relay.sinks.http.references import fill_path, reference_names
from relay.sinks.http.signing import signing_key
from relay.sinks.json_paths import JsonPath
from relay.sinks.urls import SinkUrl, safe_path

On409: TypeAlias = Literal["already", "retry", "rejected", "lookup"]

KEY = "key"
"""The reference that always has a value: the key by which they recognise a repetition."""


def _check_path(path: str) -> str:
    try:
        return safe_path(path)
    except RejectDelivery as error:
        raise ValueError(str(error)) from None


def _check_referring_path(path: str) -> str:
    _check_path(fill_path(path, dict.fromkeys(reference_names(path), "x")))
    return path


def _check_signing_secret(value: SecretStr) -> SecretStr:
    signing_key(value.get_secret_value())
    return value


SafePath: TypeAlias = Annotated[str, AfterValidator(_check_path)]
ReferringPath: TypeAlias = Annotated[str, AfterValidator(_check_referring_path)]
"""A path with references in it, such as `/customers/<email>`."""
SigningSecret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_check_signing_secret)]


class ReferringRequest(Section):
    """A request whose path, query and body may refer to values of the route (`<email>`) and to `<key>`."""

    method: Method
    path: ReferringPath = ""
    query: dict[str, str] = Field(default_factory=dict)
    body: JsonValue = None

    @property
    def referring(self) -> list[Json]:
        """Return all in which references may stand."""
        return [self.path, self.query, self.body]


class LookupSettings(ReferringRequest):
    """How to ask whether something exists. It does where `found_if` holds (default: where `id_path` has a value)."""

    method: Method = "GET"
    found_if: AnyOf | None = None
    id_path: JsonPath | None = None

    @model_validator(mode="after")
    def _has_criterion(self) -> Self:
        if not (self.found_if or self.id_path):
            raise ValueError("give found_if or id_path: else nobody can tell whether it was found")
        return self


class CreateSettings(ReferringRequest):
    """How to create what was not found. `id_path`: where the answer has what the content uses."""

    method: Method = "POST"
    id_path: JsonPath


class DependencySettings(Section):
    """Something that must be there first, such as the customer of an invoice: looked up, else created.

    Several look-ups are tried in turn; one that refers to a value which this delivery does not have is left out.
    """

    lookup: Annotated[
        list[LookupSettings],
        BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
        Field(min_length=1),
    ]
    create: CreateSettings | None = None

    @model_validator(mode="after")
    def _has_id_paths(self) -> Self:
        if any(lookup.id_path is None for lookup in self.lookup):
            raise ValueError("each lookup of a need has an id_path: what it leads to is what the content uses")
        return self


Dependencies: TypeAlias = dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], DependencySettings]


class RetryHeader(Section):
    """A header of the vendor's own that says how long to wait."""

    name: HeaderName
    unit: Literal["ms", "s"] = "s"

    @property
    def unit_ms(self) -> int:
        """Return its unit in milliseconds."""
        return {"ms": 1, "s": 1000}[self.unit]


class ProbeSettings(Section):
    """A free call that shows whether address and credentials are right."""

    method: Literal["GET", "POST"] = "GET"
    path: SafePath = ""
    query: dict[str, str] = Field(default_factory=dict)


class HttpSettings(SinkSettings, AnswerChecks):
    """An address, our credentials, and what they promise about a repetition.

    `idempotency`: they recognise one by its key (`honoured`), can be asked (`lookup`), or neither (`none`, also
    where it is not said). `idempotency_key` names the header that carries the delivery's id, the same at every
    attempt; false where they refuse such a header. `signing_secret`: one or, in a rotation, several; `whsec_` and
    base64, or plain text. `lookup`: how to find what was delivered, asked after an unknown outcome where `idempotency`
    says so, with `lookup_first` before every create, and on a 409. `needs`: what must be there first. `on_409`: what
    their 409 means; default: look up where that is possible, else rejected. `id_path`: where their answer has the id of
    what they made. `traceparent`: whether the header of that name goes with a delivery that is traced.
    """

    url: SinkUrl
    method: Method = "POST"
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    auth: Auth | None = None
    client_certificate: ClientCertificate | None = None
    idempotency_key: HeaderName | Literal[False] = "Idempotency-Key"
    signing_secret: SigningSecret | Annotated[list[SigningSecret], Field(min_length=1)] | None = None
    on_409: On409 | None = None
    retry_header: RetryHeader | None = None
    id_path: JsonPath | None = None
    traceparent: bool = False
    lookup: LookupSettings | None = None
    lookup_first: bool = False
    idempotency: Idempotency | None = None  # after all that it may contradict
    needs: Dependencies = Field(default_factory=dict)
    probe: ProbeSettings | None = None

    @field_validator("idempotency")
    @classmethod
    def _check_contradictions(cls, said: Idempotency | None, info: ValidationInfo) -> Idempotency | None:
        sends_key, looks_up = info.data.get("idempotency_key") is not False, info.data.get("lookup", "") is not None
        if said and (wrong := contradiction(said, info.data.get("on_unknown"), sends_key=sends_key, looks_up=looks_up)):
            raise ValueError(wrong)
        return said

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.lookup is None and (self.lookup_first or self.on_409 == "lookup"):
            raise ValueError("lookup is missing: say how to find out what is there")
        if KEY in self.needs:
            raise ValueError(f"needs: <{KEY}> is the delivery's own key: choose another name")
        return self

    @property
    def looks_up(self) -> bool:
        """Return whether it says how to find what was delivered."""
        return self.lookup is not None

    @property
    def recognised(self) -> bool:
        """Return whether they recognise a repetition by its key."""
        return self.idempotency == "honoured"

    @property
    def action_on_unknown(self) -> OnUnknown:
        """Return what follows from their promise, unless the file says otherwise."""
        return self.on_unknown or ACTIONS["honoured" if self.recognised else self.idempotency or "none"]

    @property
    def policy(self) -> Policy:
        """The retry policy; what is held says because of which promise."""
        promise = f"idempotency: {self.idempotency or 'none'}"
        return msgspec.structs.replace(super().policy, promise="" if self.recognised else promise)

    def warnings(self, contents: Iterable[Mapping[str, object]]) -> Iterator[str]:
        """Warn where something is posted and nobody said what they promise about a repetition."""
        methods = [str(content.get("method") or self.method).upper() for content in contents] or [self.method]
        if self.idempotency is None and not REPEATABLE_METHODS.issuperset(methods):
            yield NOT_SAID

    @property
    def conflict(self) -> On409:
        """Return what a 409 means."""
        return self.on_409 or ("lookup" if self.looks_up else "rejected")

    @property
    def lookup_references(self) -> frozenset[str]:
        """Return the names for which the look-up needs values from the route."""
        return frozenset(reference_names(self.lookup.referring) if self.lookup else ()) - {KEY}

    @property
    def signing_secrets(self) -> list[str]:
        """Return the secrets to sign with, none where none is set."""
        secrets = self.signing_secret if isinstance(self.signing_secret, list) else [self.signing_secret]
        return [secret.get_secret_value() for secret in secrets if secret]

    def hidden_values(self) -> Iterator[str]:
        """Yield what must never be shown, and the headers that are made of it."""
        yield from super().hidden_values()
        if self.auth:
            yield from self.auth.secrets()

    def credentials(self) -> Iterator[str]:
        """Yield by what they know us: with other credentials it is another account."""
        if self.auth:
            yield from self.auth.secrets()
        for name, value in self.headers.items():
            if self.hides_header(name):
                yield value.get_secret_value()
