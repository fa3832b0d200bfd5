"""What the YAML of an `http` sink may say."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, model_validator

from relay.config.sink import SinkSettings
from relay.retrying import OnUnknown
from relay.sinks.address import encode_pairs
from relay.sinks.checks import Checks, JsonPath
from relay.sinks.http.auth import Address, Auth, ClientCertificate, HeaderName, HeaderValue, Part
from relay.sinks.http.content import Method
from relay.sinks.http.lookups import KEY, Ask, Needs, Question, SafePath
from relay.sinks.http.references import names
from relay.sinks.http.signing import secret_key

On409: TypeAlias = Literal["already", "retry", "rejected", "lookup"]


def _secret_key(value: SecretStr) -> SecretStr:
    secret_key(value.get_secret_value())
    return value


SigningSecret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_secret_key)]


class RetryHeader(Part):
    """A header of the vendor's own that says how long to wait."""

    name: HeaderName
    unit: Literal["ms", "s"] = "s"

    @property
    def unit_ms(self) -> int:
        """Return its unit in milliseconds."""
        return {"ms": 1, "s": 1000}[self.unit]


class ProbeCall(Part):
    """A free call that shows whether all is well."""

    method: Literal["GET", "POST"] = "GET"
    path: SafePath = ""
    query: dict[str, str] = Field(default_factory=dict)

    @property
    def question(self) -> Question:
        """Return it as it is asked."""
        return Question(method=self.method, path=self.path, query=encode_pairs("query", self.query), body=b"")


class HttpSettings(SinkSettings, Checks):
    """An address, who we are to it, and what makes a repetition harmless.

    `idempotency_key` names the header that carries the delivery's id, the same at every attempt; false where they do
    not honour one. `signing_secret`: one or, in a rotation, several; `whsec_` and base64, or plain text. `lookup`: how
    to find what was delivered, asked after an unknown outcome, with `lookup_first` before every create, and on a 409.
    `needs`: what must be there first. `on_409`: what their 409 means; default: look up where that is possible, else
    rejected. `id_path`: where their answer has the id of what they made.
    """

    url: Address
    method: Method = "POST"
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    auth: Auth | None = None
    client_certificate: ClientCertificate | None = None
    idempotency_key: HeaderName | Literal[False] = "Idempotency-Key"
    signing_secret: SigningSecret | Annotated[list[SigningSecret], Field(min_length=1)] | None = None
    on_409: On409 | None = None
    retry_header: RetryHeader | None = None
    id_path: JsonPath | None = None
    lookup: Ask | None = None
    lookup_first: bool = False
    needs: Needs = Field(default_factory=dict)
    probe: ProbeCall | None = None

    @model_validator(mode="after")
    def _has_what_it_asks(self) -> "HttpSettings":
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
        return bool(self.idempotency_key)

    @property
    def unknown(self) -> OnUnknown:
        """With a key they recognise a repetition; without one it is looked up, or only a person can tell."""
        return self.on_unknown or ("retry" if self.recognised else "lookup" if self.looks_up else "hold")

    @property
    def conflict(self) -> On409:
        """What a 409 means."""
        return self.on_409 or ("lookup" if self.looks_up else "rejected")

    @property
    def lookup_refers(self) -> frozenset[str]:
        """The names that the look-up needs values for from the route."""
        return frozenset(names(self.lookup.refers) if self.lookup else ()) - {KEY}

    @property
    def signing_secrets(self) -> list[str]:
        """The secrets to sign with, empty where none is set."""
        given = self.signing_secret if isinstance(self.signing_secret, list) else [self.signing_secret]
        return [secret.get_secret_value() for secret in given if secret]

    def secrets(self) -> Iterator[str]:
        """Yield what must never be shown."""
        yield from self.signing_secrets
        if self.auth:
            yield from self.auth.secrets()
        for name, value in self.headers.items():
            if is_secret(name):
                yield value.get_secret_value()


def is_secret(header: str) -> bool:
    """Tell by a header's name whether its value is a secret."""
    return bool(re.search(r"auth|token|secret|password|cookie|signature|api-?key", header, re.IGNORECASE))
