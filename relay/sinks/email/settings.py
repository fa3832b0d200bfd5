"""What the YAML of an `email` sink may say."""

import base64
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from relay.config.scalars import ProxySetting, parse_trusted_host
from relay.secret import SecretStr
from relay.sinks.email.addresses import MAX_ADDRESSES, parse_address, split_addresses, write_address
from relay.sinks.repetition import MessageSettings

if TYPE_CHECKING:  # with it Jinja is imported
    from relay.rendering import Markup

TlsMode: TypeAlias = Literal["starttls", "tls", "none"]
PORTS: Final[dict[TlsMode, int]] = {"starttls": 587, "tls": 465, "none": 25}


def _check_host(text: str) -> str:
    found = parse_trusted_host(text)
    if not isinstance(found, str):
        if found.num_addresses != 1:
            raise ValueError(f"{text!r} is a network: write the mail server's name, such as smtp.example.com")
        return str(found.network_address)
    return found


def _check_address(text: str) -> str:
    return write_address(parse_address(text))


def _check_addresses(value: object) -> tuple[str, ...]:
    addresses = tuple(map(_check_address, split_addresses(value)))
    if len(addresses) > MAX_ADDRESSES:
        raise ValueError(f"{len(addresses)} addresses are more than a message may have ({MAX_ADDRESSES})")
    return addresses


MailAddress: TypeAlias = Annotated[str, AfterValidator(_check_address)]
MailAddresses: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_check_addresses),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class EmailSettings(MessageSettings):
    """The mail server, our login there, who mail is from, and who gets it unless a route says so.

    `tls`: `starttls` (begun in plain text, then TLS), `tls` (from the first byte) or `none`, which takes this machine's
    own server, or `allow_unencrypted: true`.
    """

    host: Annotated[str, AfterValidator(_check_host)]
    port: int | None = Field(None, ge=1, le=65535, description="Default: 587, with tls: tls 465, with tls: none 25")
    allow_unencrypted: bool = Field(False, description="true: everybody on the way may read mail and password")
    tls: TlsMode = "starttls"
    login: Annotated[str, Field(min_length=1)] | None = None
    password: Annotated[SecretStr, Field(min_length=1)] | None = None
    sender: MailAddress
    recipients: MailAddresses | None = None
    cc: MailAddresses = ()
    reply_to: MailAddresses = ()
    concurrency: int = Field(default=2, ge=1, le=100, description="Connections at a time; mail servers allow few")

    @field_validator("tls")
    @classmethod
    def _check_tls(cls, tls: TlsMode, info: ValidationInfo) -> TlsMode:
        if tls == "none" and not info.data.get("allow_unencrypted") and not _is_loopback(info.data.get("host", "")):
            raise ValueError(
                "none shows everybody on the way mail and password: write starttls, tls, or allow_unencrypted: true"
            )
        return tls

    @field_validator("proxy")
    @classmethod
    def _check_proxy(cls, proxy: ProxySetting | None) -> ProxySetting | None:
        if proxy:
            raise ValueError("mail leaves by SMTP, for which HTTP proxies have no way: name the mail server behind it")
        return proxy

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        if (self.login is None) != (self.password is None):
            raise ValueError("give login and password, or neither")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port of the mail server."""
        return self.host, self.port or PORTS[self.tls]

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the mail server as an address."""
        host, port = self.address
        return (f"smtp://{f'[{host}]' if ':' in host else host}:{port}",)

    def markup(self, key: str) -> "Markup | None":
        """Return what its texts are written in."""
        return "html" if key == "html" else None

    def hidden_values(self) -> Iterator[str]:
        """Yield what must never be shown: the password, also as it is sent."""
        yield from super().hidden_values()
        if self.login and self.password:
            password = self.password.get_secret_value()
            for text in (password, f"\0{self.login}\0{password}"):
                yield base64.b64encode(text.encode()).decode()


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    for kind in (IPv4Address, IPv6Address):
        try:
            return kind(host).is_loopback
        except ValueError:
            continue
    return False
