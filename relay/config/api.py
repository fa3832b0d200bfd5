"""The settings of an account's own API, which connect, names, fetch and catch-up ask."""

import re
from dataclasses import dataclass
from typing import Annotated, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from relay.config.findings import format_value
from relay.config.proxy import ProxyChoice
from relay.config.scalars import ProxySetting, Rate
from relay.config.section import Section
from relay.masking import mask_userinfo
from relay.model import Limit
from relay.secret import SecretStr

_HEADER_VALUE = re.compile(r"[!-~]{1,8192}")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ACCOUNT_ADDRESS = re.compile(
    r"(?:https?://)?([a-z0-9-]{1,63})\.(?:amocrm\.(?:ru|com)|kommo\.com)(?:[/?#].*)?", re.ASCII
)
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def _check_credential(secret: SecretStr) -> SecretStr:
    if not _HEADER_VALUE.fullmatch(secret.get_secret_value()):
        raise ValueError("must be one line of printable ASCII characters, without spaces")
    return secret


def _check_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{format_value(mask_userinfo(text))} is not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(
            f"{format_value(mask_userinfo(text))} is not an address: write it in full, such as https://acme.amocrm.ru"
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("only scheme, host and path belong here, such as https://acme.amocrm.ru")
    if parts.scheme == "http" and host not in _LOCAL_HOSTS:
        raise ValueError(f"the token would be sent unencrypted: write https://{host}")
    return text.rstrip("/")


Credential: TypeAlias = Annotated[SecretStr, AfterValidator(_check_credential)]
ApiAddress: TypeAlias = Annotated[str, AfterValidator(_check_address)]


class OAuthSettings(Section):
    """An integration's credentials. The refresh token is only the first one: the newest is kept in the store."""

    client_id: str = Field(min_length=1)
    client_secret: Credential
    redirect_uri: str = Field(min_length=1, description="The same as in the integration: amoCRM compares them")
    refresh_token: Credential = Field(description="Used once; a new one written here wins over the store's")


class ApiSettings(Section):
    """The account's own API, for connect, names, fetch and catch-up."""

    url: ApiAddress | None = Field(None, description="Default: https://<account.subdomain>.amocrm.ru")
    token: Credential | None = Field(None, description="A long-lived token")
    oauth: OAuthSettings | None = None
    rate: Rate = Field((7, 1000), description="amoCRM allows 7 requests a second", json_schema_extra={"default": "7/s"})
    proxy: ProxySetting | None = Field(None, description="Default: as HTTPS_PROXY and NO_PROXY say; false: none")

    @model_validator(mode="after")
    def _check_one_credential(self) -> Self:
        if (self.token is None) == (self.oauth is None):
            raise ValueError("needs one of token: (a long-lived token) and oauth: {client_id, client_secret, …}")
        return self


@dataclass(frozen=True)
class AccountApi:
    """The API of a source's account: address, credentials, limit of requests, proxy."""

    url: str
    credentials: SecretStr | OAuthSettings
    limit: Limit
    proxy: ProxyChoice | None = None


def subdomain_of(text: str) -> str | None:
    """Return the subdomain in an account's address, such as acme.amocrm.ru or https://acme.kommo.com/, else None."""
    found = _ACCOUNT_ADDRESS.fullmatch(text.strip().lower())
    return found[1] if found else None


def make_account_api(source: str, settings: ApiSettings, subdomain: str) -> AccountApi:
    """Return the API of a source's account. Raises ValueError where its address is not known."""
    url = settings.url
    if url is None and not _SUBDOMAIN.fullmatch(subdomain):
        raise ValueError(
            "api has no address: write account: {subdomain: acme}, or within api url: https://acme.amocrm.ru"
        )
    credentials = settings.oauth if settings.oauth is not None else settings.token
    assert credentials is not None  # the model has checked it
    count, per_ms = settings.rate
    return AccountApi(
        url=url or f"https://{subdomain}.amocrm.ru",
        credentials=credentials,
        limit=Limit(key=f"account:{source}", count=count, per_ms=per_ms),
        proxy=settings.proxy,
    )
