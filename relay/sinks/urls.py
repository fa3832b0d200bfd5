"""URLs of sinks: checking the configured one, and joining it with rendered paths and queries that cannot leave it."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, TypeAlias
from urllib.parse import quote, unquote, urlencode

from pydantic import AfterValidator
from yarl import URL

from relay.errors import RejectDelivery
from relay.masking import mask_secrets, mask_userinfo
from relay.spelling import foreign_letter, mixes_alphabets

_ESCAPED = re.compile(r"(%[0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9_~-]+)+/?")  # needs no quoting; nearly every path


def check_url(text: str) -> str:
    """Return a configured URL in its encoded form. Raise ValueError saying what would be right."""
    if "{{" in text:
        raise ValueError(
            "{{ … }} is no template here: what differs from event to event stands in the route's path or query"
        )
    url = URL(text)
    if url.scheme not in ("http", "https") or not url.raw_host:
        raise ValueError(
            f"{mask_userinfo(text)!r} is not an address: write it in full, such as https://books.example.com/api"
        )
    if any(map(mixes_alphabets, (url.host or "").split("."))) and (found := foreign_letter(url.host or "")):
        raise ValueError(f"{found} in the host {url.host}: write it in Latin letters")
    if url.user is not None or url.password is not None:
        raise ValueError("a name or password in the address ends up in logs: write it under auth: {basic: …}")
    if url.raw_fragment:
        raise ValueError("the part from # on is never sent: remove it, or where it is in a value write %23")
    try:
        url.raw_host.encode("idna")
    except UnicodeError:
        raise ValueError(f"{url.raw_host} cannot be a host name") from None
    return str(url)


SinkUrl: TypeAlias = Annotated[str, AfterValidator(check_url)]
"""The URL of a sink in its settings."""


@lru_cache(maxsize=4096)
def join_url(address: str, path: str = "", query: str = "") -> URL:
    """Join a URL, a path from `safe_path` and a query from `encode_pairs`."""
    base, _, own_query = address.partition("?")
    queries = "&".join(part for part in (own_query, query) if part)
    joined = base.rstrip("/") + path if path else base
    return URL(f"{joined}?{queries}" if queries else joined, encoded=True)


def safe_path(path: str) -> str:
    """Quote a rendered path. Raise RejectDelivery where it would leave the sink's address or lacks a value."""
    if not path or _PLAIN_PATH.fullmatch(path):
        return path
    rooted = path if path.startswith("/") else f"/{path}"
    unquoted = unquote(rooted)
    if _CONTROL.search(unquoted) or "\\" in unquoted:
        raise RejectDelivery(f"path: {_quote_masked(path)} has characters that no path may have")
    if "?" in rooted or "#" in rooted:
        raise RejectDelivery(f"path: {_quote_masked(path)} has a ? or #: what follows ? belongs under query")
    if "//" in unquoted:
        raise RejectDelivery(f"path: {_quote_masked(path)} has an empty part: is a value missing?")
    if {".", ".."} & set(unquoted.split("/")):
        raise RejectDelivery(f"path: {_quote_masked(path)} would lead out of the sink's address")
    return "".join(
        part if _ESCAPED.fullmatch(part) else quote(part, safe="/:@!$&'()*+,;=~") for part in _ESCAPED.split(rooted)
    )


def encode_pairs(place: str, values: Mapping[str, object]) -> str:
    """Encode a mapping as a query or form. A list repeats its name, a null is left out. Raise RejectDelivery."""
    return urlencode(list(_pairs(place, values))) if values else ""


def _pairs(place: str, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(item, (Mapping, list, tuple)):
                raise RejectDelivery(
                    f"{place}.{name}: takes a text, a number or a list of them, not {mask_secrets(repr(item)):.60}"
                )
            if item is not None:
                yield name, _text(item)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _quote_masked(value: object) -> str:
    return mask_secrets(repr(value))
