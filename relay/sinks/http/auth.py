"""Our credentials for an HTTP endpoint: the parts of the YAML, and the headers made from them."""

import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from relay.config.section import Section
from relay.secret import SecretStr
from relay.sinks.urls import SinkUrl
from relay.transport.tls import prepared

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_header_name(name: str) -> str:
    """Return a header's name. Raise ValueError where HTTP forbids it."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a header's name: use letters, digits and -")
    if name.lower() in _FRAMING:
        raise ValueError("is written by the relay itself, a wrong one would end the request elsewhere: leave it out")
    return name


def check_header_value(value: str) -> str:
    """Return a header's value. Raise ValueError where it would end the header."""
    if _CONTROL.search(value):
        raise ValueError("a header's value is one line without control characters")
    return value


def _secret_header(value: SecretStr) -> SecretStr:
    if "{{" in check_header_value(value.get_secret_value()):
        raise ValueError("{{ … }} is no template here: it would be sent as it stands; a variable is ${NAME}")
    return value


HeaderName = Annotated[str, AfterValidator(check_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_secret_header)]


class BasicAuth(Section):
    """A name and a password."""

    username: str = Field(pattern="^[^:]*$")  # RFC 7617: the colon ends it
    password: SecretStr


class HeaderAuth(Section):
    """A header of the vendor's own for an API key."""

    name: HeaderName
    value: HeaderValue


class OAuth2(Section):
    """Client credentials (RFC 6749, 4.4): a token from `token_url`, shared by all workers.

    `client_auth`: whether id and secret are sent in a header (Basic) or in the form.
    """

    token_url: SinkUrl
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr
    scope: str = ""
    client_auth: Literal["header", "form"] = "header"


class Auth(Section):
    """Our credentials: exactly one of the four."""

    bearer: HeaderValue | None = None
    basic: BasicAuth | None = None
    header: HeaderAuth | None = None
    oauth2: OAuth2 | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(auth is not None for auth in (self.bearer, self.basic, self.header, self.oauth2)) != 1:
            raise ValueError("give exactly one of bearer, basic, header and oauth2")
        return self

    def as_headers(self) -> dict[str, str]:
        """Return the headers with the credentials; none for OAuth2, whose token must be fetched first."""
        if self.bearer:
            return {"Authorization": f"Bearer {self.bearer.get_secret_value()}"}
        if self.basic:
            return {"Authorization": basic_header(self.basic.username, self.basic.password.get_secret_value())}
        return {self.header.name: self.header.value.get_secret_value()} if self.header else {}

    def secrets(self) -> Iterator[str]:
        """Yield what must never be shown."""
        yield from self.as_headers().values()
        if self.basic:
            yield self.as_headers()["Authorization"].partition(" ")[2]
        for secret in (
            self.bearer,
            self.basic and self.basic.password,
            self.oauth2 and self.oauth2.client_secret,
        ):
            if secret:
                yield secret.get_secret_value()


def basic_header(username: str, password: str) -> str:
    """Build the value of a Basic Authorization header."""
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


class ClientCertificate(Section):
    """A client certificate and its key: PEM files, read together with the configuration."""

    cert: str
    key: str

    _context: ssl.SSLContext = PrivateAttr()

    @model_validator(mode="after")
    def _load(self) -> Self:
        context = prepared(ssl.create_default_context())
        for path in (self.cert, self.key):
            try:
                with open(path, "rb"):
                    pass
            except OSError as error:
                raise ValueError(f"{path}: {error.strerror}: give the path of a PEM file") from None
        try:
            # An empty password: without it OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.cert, self.key, password=b"")
        except ssl.SSLError as error:
            raise ValueError(f"{self.cert} and {self.key} are no certificate and its key: {error.reason}") from None
        self._context = context
        return self

    @property
    def context(self) -> ssl.SSLContext:
        """Return the TLS context with the certificate. Always the same one: open connections are found by it."""
        return self._context
