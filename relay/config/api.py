"""How a source's own API is reached: for connect, names, fetch and catch-up. Secrets come from the environment."""

import re
from dataclasses import dataclass
from typing import Annotated, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from relay.config.findings import format_value
from relay.config.scalars import Rate
from relay.model import Limit

_HEADER = re.compile(r"[!-~]{1,8192}")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def _credential(secret: SecretStr) -> SecretStr:
    if not _HEADER.fullmatch(secret.get_secret_value()):
        raise ValueError("must be one line of printable ASCII characters, without spaces")
    return secret


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{format_value(text)} is not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{format_value(text)} is not an address: write it in full, such as https://acme.amocrm.ru")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("only scheme, host and path belong here, such as https://acme.amocrm.ru")
    if parts.scheme == "http" and host not in _HERE:
        raise ValueError(f"the token would travel in the clear: write https://{host}")
    return text.rstrip("/")


Credential: TypeAlias = Annotated[SecretStr, AfterValidator(_credential)]
Address: TypeAlias = Annotated[str, AfterValidator(_address)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OAuthSettings(_Section):
    """An integration's credentials. The refresh token is the first one: the newest is kept in the store."""

    client_id: str = Field(min_length=1)
    client_secret: Credential
    redirect_uri: str = Field(min_length=1, description="As the integration has it: amoCRM compares")
    refresh_token: Credential = Field(description="Used once; a new one written here wins over the store's")


class ApiSettings(_Section):
    """How the account itself is asked: connect, names, fetch, catch-up."""

    url: Address | None = Field(None, description="Default: https://<account.subdomain>.amocrm.ru")
    token: Credential | None = Field(None, description="A long-lived token")
    oauth: OAuthSettings | None = None
    rate: Rate = Field((7, 1000), description="amoCRM allows 7 requests a second", json_schema_extra={"default": "7/s"})

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.token is None) == (self.oauth is None):
            raise ValueError("needs one of token: (a long-lived token) and oauth: {client_id, client_secret, …}")
        return self


@dataclass(frozen=True)
class AccountApi:
    """A source's API, ready to be asked."""

    url: str
    credentials: SecretStr | OAuthSettings
    limit: Limit


def make_account_api(source: str, keys: ApiSettings, subdomain: str) -> AccountApi:
    """Return a source's API. Raise ValueError, with what would be right, where its address is not known."""
    url = keys.url
    if url is None and not _SUBDOMAIN.fullmatch(subdomain):
        raise ValueError(
            "api has no address: write account: {subdomain: acme}, or within api url: https://acme.amocrm.ru"
        )
    credentials = keys.oauth if keys.oauth is not None else keys.token
    assert credentials is not None  # the model has seen to it
    count, per_ms = keys.rate
    return AccountApi(
        url=url or f"https://{subdomain}.amocrm.ru",
        credentials=credentials,
        limit=Limit(key=f"account:{source}", count=count, per_ms=per_ms),
    )
