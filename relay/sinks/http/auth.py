"""Who we are to an HTTP endpoint: the parts of the YAML that say it, and the headers they become."""

import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, model_validator

from relay.config.section import Section
from relay.sinks.urls import SinkUrl

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
    check_header_value(value.get_secret_value())
    return value


HeaderName = Annotated[str, AfterValidator(check_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_secret_header)]


class BasicAuth(Section):
    """A name and a password."""

    username: str = Field(pattern="^[^:]*$")  # RFC 7617: the colon ends it
    password: SecretStr


class HeaderAuth(Section):
    """A header of the vendor's own that carries a key."""

    name: HeaderName
    value: HeaderValue


class OAuth2(Section):
    """Client credentials (RFC 6749, 4.4): a token fetched from `token_url`, shared by all workers.

    `client_auth`: whether id and secret go to it in a header (Basic) or in the form.
    """

    token_url: SinkUrl
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr
    scope: str = ""
    client_auth: Literal["header", "form"] = "header"


class Auth(Section):
    """Who we are to them: exactly one of the four."""

    bearer: HeaderValue | None = None
    basic: BasicAuth | None = None
    header: HeaderAuth | None = None
    oauth2: OAuth2 | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(way is not None for way in (self.bearer, self.basic, self.header, self.oauth2)) != 1:
            raise ValueError("give exactly one of bearer, basic, header and oauth2")
        return self

    def as_headers(self) -> dict[str, str]:
        """Build the headers that carry it: none for a token that must be fetched first."""
        if self.bearer:
            return {"Authorization": f"Bearer {self.bearer.get_secret_value()}"}
        if self.basic:
            return {"Authorization": basic_header(self.basic.username, self.basic.password.get_secret_value())}
        return {self.header.name: self.header.value.get_secret_value()} if self.header else {}

    def secrets(self) -> Iterator[str]:
        """Yield what must never be shown."""
        yield from self.as_headers().values()
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
    """A certificate that we show them, and its key: PEM files, read when the configuration is."""

    cert: str
    key: str

    _context: ssl.SSLContext = PrivateAttr()

    @model_validator(mode="after")
    def _load(self) -> Self:
        context = ssl.create_default_context()
        for path in (self.cert, self.key):
            try:
                with open(path, "rb"):
                    pass
            except OSError as error:
                raise ValueError(f"{path}: {error.strerror}: give the path of a PEM file") from None
        try:
            # A password would be asked for on the terminal: an encrypted key is refused instead.
            context.load_cert_chain(self.cert, self.key, password=b"")
        except ssl.SSLError as error:
            raise ValueError(f"{self.cert} and {self.key} are no certificate and its key: {error.reason}") from None
        self._context = context
        return self

    @property
    def context(self) -> ssl.SSLContext:
        """Return the TLS context that shows it. Made once: connections are kept by it."""
        return self._context
