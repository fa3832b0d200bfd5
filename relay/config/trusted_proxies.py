"""Which proxies may say for whom they ask: RELAY_TRUSTED_PROXIES. Pure."""

from ipaddress import ip_network
from typing import Final

TRUSTED_PROXIES: Final = "RELAY_TRUSTED_PROXIES"
THIS_MACHINE: Final = ("127.0.0.1", "::1")
EVERYBODY: Final = ("*",)


def parse_trusted_proxies(text: str) -> tuple[str, ...]:
    """Parse addresses and networks that are separated by commas; `*` alone is every peer. Raises ValueError."""
    parts = tuple(part for part in (part.strip() for part in text.split(",")) if part)
    if parts == EVERYBODY:
        return parts
    for part in parts:
        try:
            ip_network(part)
        except ValueError as error:
            # uvicorn would take it for a name that no peer ever has, and trust nobody.
            message = f"{part!r} is no proxy's address or network, such as 10.1.2.3 or 10.0.0.0/8"
            raise ValueError(f"{message}: {error}" if "host bits" in str(error) else message) from error
    return parts
