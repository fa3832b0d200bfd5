"""Egress proxies: their addresses, as people write them in the file and in the environment."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote

from relay.model import Record

_ADDRESS: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][\w+.-]*)://)?(?:(?P<userinfo>[^\s]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?/?"
)
_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
PROXY_EXAMPLE: Final = "http://proxy.example.com:3128"


class Proxy(Record):
    """A proxy. Its text is its address without the credentials."""

    scheme: str  # of the way to the proxy itself: http, or https
    host: str
    port: int
    authorization: str = ""  # the value of Proxy-Authorization

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    __repr__ = __str__

    def hidden_values(self) -> Iterator[str]:
        """Yield what must never be shown of it: the password, and what is sent for it."""
        encoded = self.authorization.partition(" ")[2]
        if encoded:
            yield from (encoded, b64decode(encoded).decode().partition(":")[2])


ProxyChoice: TypeAlias = Proxy | Literal[False]
"""A proxy that is to be used, or False: none, whatever the environment says."""


def parse_proxy(text: str) -> Proxy:
    """Return the proxy of an address; without a scheme it is http://. Raises ValueError, which shows no credentials."""
    found = _ADDRESS.fullmatch(text)
    if not found:
        raise ValueError(f"this is no proxy's address: {PROXY_EXAMPLE}, with user:password@ where it wants them")
    scheme = (found["scheme"] or "http").lower()
    if scheme not in _PORTS:
        raise ValueError(f"a proxy of the kind {scheme}:// is not possible: write an HTTP proxy's, {PROXY_EXAMPLE}")
    port = int(found["port"] or _PORTS[scheme])
    if not 1 <= port <= 65535:
        raise ValueError(f"the proxy's port {port} is not a number from 1 to 65535")
    return Proxy(
        scheme=scheme,
        host=found["host"].strip("[]").lower(),
        port=port,
        authorization=_basic(found["userinfo"]) if found["userinfo"] else "",
    )


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    return f"Basic {b64encode(f'{unquote(user)}:{unquote(password)}'.encode()).decode()}"
