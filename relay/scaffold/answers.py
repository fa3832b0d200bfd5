"""Check the answers to the questions of `relay init`. Pure: each raises ValueError that says what would be right."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from relay.config.suggestions import did_you_mean

SINKS: Final = ("log", "http", "unisender", "smsc", "smsru", "moysklad", "telegram", "email")
LANGUAGES: Final = ("en", "ru")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_ACCOUNT: Final = re.compile(r"(?:https?://)?([^/.:\s]+)(?:\.(?:amocrm\.(?:ru|com)|kommo\.com))?/?")
_FORBIDDEN: Final = re.compile(r"[\s%\"'\\]")  # systemd reads these in a path as something else


@dataclass(frozen=True)
class Answers:
    """What `relay init` needs to know. `url` has no slash at its end."""

    account: str
    url: str
    sinks: Sequence[str]
    language: str
    folder: Path


def check_account(text: str) -> str:
    """Return the subdomain of an account, from it alone or from the account's address."""
    found = _ACCOUNT.fullmatch(text.strip().lower())
    if found is None or not _SUBDOMAIN.fullmatch(found[1]):
        raise ValueError(f"{text!r} is no account: write acme for https://acme.amocrm.ru")
    return found[1]


def check_url(text: str) -> str:
    """Return the relay's public address, without a slash at its end."""
    example = "write what amoCRM is to call, such as https://relay.example.com"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is no address: {example}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or port == 0:
        raise ValueError(f"{text!r} is no address: {example}")
    if parts.username or re.search(r"\s|[{}$#]", text.strip()):
        raise ValueError(f"{text!r} has more in it than an address: {example}")
    return text.strip().rstrip("/")


def check_sinks(text: str) -> Sequence[str]:
    """Return the types of the sinks that a list with commas names, each once."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in SINKS:
            raise ValueError(f"{name!r} is no sink: {did_you_mean(name, SINKS)}")
    if not names:
        raise ValueError(f"no sink is named: write some of {', '.join(SINKS)}; log writes lines, to begin with")
    return list(dict.fromkeys(names))


def check_language(text: str) -> str:
    """Return the language of the comments."""
    if (language := text.strip().lower()) not in LANGUAGES:
        raise ValueError(f"{text!r} is no language here: write {' or '.join(LANGUAGES)}")
    return language


def check_folder(text: str) -> Path:
    """Return the folder, in full."""
    return check_unit_path(Path(text.strip() or ".").expanduser().absolute())


def check_unit_path(path: Path) -> Path:
    """Return a path that a systemd unit can name."""
    if _FORBIDDEN.search(str(path)):
        raise ValueError(f"{str(path)!r} has a blank, a quote or a % in it, which a systemd unit cannot name")
    return path
