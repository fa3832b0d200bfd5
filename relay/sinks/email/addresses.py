"""Addresses of mail: `name@example.com`, or with who it is, `Anna <anna@example.com>`. Pure."""

import re
from email.headerregistry import Address
from typing import Final

MAX_ADDRESSES: Final = 100  # of one message; RFC 5321 lets a server refuse more

_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_NAMED: Final = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_BETWEEN: Final = re.compile(r"[,;\n]")
_NOT_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f\"\\]+")
_LONGEST_LOCAL: Final = 64


def parse_address(text: str) -> Address:
    """Return an address, its domain as DNS has it. Raise ValueError that says what would be right."""
    named = _NAMED.fullmatch(text.strip())
    address, name = (named["address"].strip(), named["name"]) if named else (text.strip(), "")
    local, _, domain = address.rpartition("@")
    try:
        domain = domain.encode("idna").decode().lower()
    except UnicodeError:
        domain = ""
    if not _LOCAL.fullmatch(local) or len(local) > _LONGEST_LOCAL or not _DOMAIN.fullmatch(domain):
        raise ValueError("it is no e-mail address: write anna@example.com, or Anna <anna@example.com>")
    return Address(display_name=" ".join(_NOT_IN_NAMES.sub(" ", name).split()), addr_spec=f"{local}@{domain}")


def split_addresses(value: object) -> list[str]:
    """Return the addresses of a list, or of a text in which commas, semicolons or line ends are between them."""
    if isinstance(value, str):
        return [part.strip() for part in _BETWEEN.split(value) if part.strip()]
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return [item.strip() for item in value if item.strip()]
    raise ValueError("it takes an address, or a list of them")


def write_address(address: Address) -> str:
    """Return an address as it is stored and shown."""
    return str(address) if address.display_name else address.addr_spec
