"""What the YAML of an `apprise` sink may say."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, field_validator

from relay.config.scalars import ProxySetting
from relay.secret import SecretStr
from relay.sinks.repetition import MessageSettings

INSTALL: Final = "pip install 'amo-relay[apprise]'"

_URL: Final = re.compile(r"(?P<schema>[a-z][a-z0-9+-]{1,19})://\S+", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"[/@:?&=]+")
_HOST: Final = re.compile(r"[\w-]+(\.[\w-]+)+")
_SHORTEST_SECRET: Final = 6
_HOSTED: Final = frozenset({"json", "jsons", "xml", "xmls", "form", "forms"})
"""Services whose address begins with a host."""


def _check_url(url: SecretStr) -> SecretStr:
    if not _URL.fullmatch(url.get_secret_value()):
        raise ValueError("it is no address of Apprise: write one, such as slack://… or discord://…, without blanks")
    if find_spec("apprise") is None:
        raise ValueError(f"the sink apprise is an extra that is not installed here: {INSTALL}")
    return url


class AppriseSettings(MessageSettings):
    """The address of one service, as Apprise writes it; all of it is a secret. For several services: several sinks."""

    url: Annotated[SecretStr, AfterValidator(_check_url)]
    concurrency: int = Field(default=2, ge=1, le=20, description="Messages at a time, each in a thread")

    @field_validator("proxy")
    @classmethod
    def _check_proxy(cls, proxy: ProxySetting | None) -> ProxySetting | None:
        if proxy is not None:
            raise ValueError("Apprise calls by itself, and asks the proxies of the environment (HTTPS_PROXY, NO_PROXY)")
        return proxy

    @property
    def service(self) -> str:
        """Return what stands before ://."""
        return self.url.get_secret_value().partition("://")[0].lower()

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the service, and its host where that is one of the web: of most it is a secret."""
        address = urlsplit(self.url.get_secret_value())
        hosted = _HOST.fullmatch(address.hostname or "") and self.service in _HOSTED
        return (f"{self.service}://{address.netloc.rpartition('@')[2] if hosted else ''}",)

    def hidden_values(self) -> Iterator[str]:
        """Yield what must never be shown: the address, and each part of it that may be a secret by itself."""
        yield from super().hidden_values()
        rest = self.url.get_secret_value().partition("://")[2]
        for part in _BETWEEN.split(rest):
            if len(part) >= _SHORTEST_SECRET and not _HOST.fullmatch(part):
                yield part
                yield unquote(part)
