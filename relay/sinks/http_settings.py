"""What the YAML of an `http` sink may say."""

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from relay.config.sink import SinkSettings
from relay.retrying import OnUnknown
from relay.sinks.address import check_address
from relay.sinks.signing import secret_key

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def header_name(name: str) -> str:
    """Return a header's name. Raise ValueError where HTTP forbids it."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a header's name: use letters, digits and -")
    return name


def header_value(value: str) -> str:
    """Return a header's value. Raise ValueError where it would end the header."""
    if _CONTROL.search(value):
        raise ValueError("a header's value is one line without control characters")
    return value


def _secret_header(value: SecretStr) -> SecretStr:
    header_value(value.get_secret_value())
    return value


def _secret_key(value: SecretStr) -> SecretStr:
    secret_key(value.get_secret_value())
    return value


HeaderName = Annotated[str, AfterValidator(header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_secret_header)]
SigningSecret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_secret_key)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Basic(_Part):
    """A name and a password."""

    username: str = Field(pattern="^[^:]*$")  # RFC 7617: the colon ends it
    password: SecretStr


class Header(_Part):
    """A header of the vendor's own that carries a key."""

    name: HeaderName
    value: HeaderValue


class Auth(_Part):
    """Who we are to them: exactly one of the three."""

    bearer: HeaderValue | None = None
    basic: Basic | None = None
    header: Header | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Auth":
        if sum(way is not None for way in (self.bearer, self.basic, self.header)) != 1:
            raise ValueError("give exactly one of bearer, basic and header")
        return self

    def as_header(self) -> tuple[str, str]:
        """Build the header that carries it."""
        if self.bearer:
            return "Authorization", f"Bearer {self.bearer.get_secret_value()}"
        if self.basic:
            pair = f"{self.basic.username}:{self.basic.password.get_secret_value()}"
            return "Authorization", f"Basic {b64encode(pair.encode()).decode()}"
        assert self.header
        return self.header.name, self.header.value.get_secret_value()

    def secrets(self) -> Iterator[str]:
        """Yield what must never be shown."""
        yield self.as_header()[1]
        for secret in (self.bearer, self.basic and self.basic.password):
            if secret:
                yield secret.get_secret_value()


class HttpSettings(SinkSettings):
    """An address, who we are to it, and what makes a repetition harmless.

    `idempotency_key` names the header that carries the delivery's id, the same at every attempt; false where they do
    not honour one. `signing_secret`: one or, in a rotation, several; `whsec_` and base64, or plain text. `on_409`: what
    their 409 means.
    """

    url: Annotated[str, AfterValidator(check_address)]
    method: Method = "POST"
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    auth: Auth | None = None
    idempotency_key: HeaderName | Literal[False] = "Idempotency-Key"
    signing_secret: SigningSecret | Annotated[list[SigningSecret], Field(min_length=1)] | None = None
    on_409: Literal["already", "retry", "rejected"] = "rejected"

    @property
    def unknown(self) -> OnUnknown:
        """With a key they recognise a repetition; without one only a person can tell."""
        return self.on_unknown or ("retry" if self.idempotency_key else "hold")

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
