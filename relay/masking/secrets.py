"""Mask secrets: those whose values are known wherever they stand, others by the place in which they stand."""

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

from relay.model import Json

MASK: Final = "***"

_ANYWHERE = 8  # characters from which a value is masked wherever it stands, within words too, if it is none itself
_LONGEST_WORD = 20  # up to which a value of letters alone is taken for a word, and masked as a whole one only
_AS_A_WORD = 4  # from which it is masked as a whole word; a shorter one in quotes only: "e" is in every text

_LETTER = r"[^\W\d_]"
_WORD = re.compile(rf"{_LETTER}(?:(?![A-Z]){_LETTER})*")  # password, Password; not pAsSwOrD

_SHORTEST_PLACE = len("psw=x")
_SLASH = r"(?:\\?/|%2F)"  # as JSON and queries may write it
_SCHEMES: Final = ("basic", "bearer", "digest", "token")
_NAME = r"(?:user_hash|session_id|api[_-]?(?:key|id)|token|secret|psw|passw(?:or)?d)"
_PLACES: Final = (  # a text with none of the signs is not searched, which takes a hundred times as long
    # /hooks/<source>/<token>
    (("hooks",), rf"({_SLASH}hooks{_SLASH}[^/\s%\\]+{_SLASH})[\w.~%-]+"),
    # scheme://user:password@host, also a password with a slash; scheme://host:8000/@ has none
    (("@",), rf"(\b\w+:{_SLASH}{_SLASH}[^:/@\s\[]*:)(?!\d{{1,5}}(?:[/?#]|%2F))[^\s\"'<>]{{1,256}}(?=@)"),
    # scheme://token@host
    (("@",), rf"(\b\w+:{_SLASH}{_SLASH})[^:/@\s?#%\\\"'<>]+(?=@)"),
    # token=value; "token": "value"
    (
        ("hash", "session", "api", "token", "secret", "psw", "passw"),
        rf"({_NAME}(?:=|%3D)|(?P<quote>\\?[\"'])[\w-]*{_NAME}(?P=quote)\s*:\s*(?P=quote))"
        r"(?:(?(quote)(?!(?P=quote)).|[^&\s\"'<>]))+",
    ),
    # ?key=value
    (
        ("?", "&"),
        r"([?&](?:[\w.-]*(?:key|signature|credentials?)|(?:[\w.-]+[_.-])?(?:hash|sig|auth|pass|pwd|pin)|code)=)"
        r"[^&\s\"'<>]+",
    ),
    # https://api.telegram.org/bot<id>:<token>/; with another kind of token it is followed by the method
    (("bot",), rf"({_SLASH}bot(?:\d+(?::|%3A)|(?=[\w-]*\d)(?=[\w-]{{16,}}{_SLASH})))[\w-]+"),
    # Slack's /services/T…/B…/<token>, Discord's /webhooks/<id>/<token>, Bitrix24's /rest/<id>/<token>/
    (
        ("services", "webhooks", "rest"),
        rf"({_SLASH}(?:services{_SLASH}T\w+{_SLASH}B\w+|webhooks{_SLASH}\d+|rest{_SLASH}\d+){_SLASH})"
        r"(?=[\w-]*\d)[\w-]{12,}",
    ),
    # Authorization: Bearer value; X-Api-Key: value
    (
        ("authorization", "x-"),
        rf"((?:authorization[\"']?\s*[:=]\s*[\"']?(?:(?:{'|'.join(_SCHEMES)})\s+)?)"
        r"|x-[\w-]*(?:key|token|secret)[\"']?\s*[:=]\s*[\"']?)[^\s\"',]{8,}",
    ),
    # Bearer value, where it looks like one: a word has no digits, and no capitals within
    (("bearer ", "basic "), r"(\b(?:bearer|basic)\s+)(?=\S+(?-i:[A-Z0-9]))[\w+/=.~-]{8,}"),
)
_USERINFO = re.compile(r"^((?:[\w+.-]*:?//)?).*@", re.DOTALL)
_SECRET_HEADER = re.compile(r"auth|token|secret|password|cookie|signature|api-?key|(?:^|[-_])key$", re.IGNORECASE)


def mask_secrets(text: str, known: Iterable[str] = ()) -> str:
    """Mask the `known` values, and what stands where secrets stand: in hook paths, addresses, queries, headers.

    A known value of eight characters is found within words too, unless it looks like a word itself. Such a one, and a
    shorter one, is found as a whole word only, and one of less than four only in quotes.
    """
    text = mask_known(text, known)
    if len(text) < _SHORTEST_PLACE:
        return text
    lower = text.lower()
    for signs, pattern in _PLACES:
        for sign in signs:
            if sign in lower:
                text = _compile_place(pattern).sub(rf"\1{MASK}", text)
                break
    return text


@cache
def _compile_place(pattern: str) -> re.Pattern[str]:
    """Compile a pattern when it is first needed: most commands show no text that has a sign of any."""
    return re.compile(pattern, re.IGNORECASE)


def mask_secrets_in_json(value: Json, known: Sequence[str] = ()) -> Json:
    """Mask every text within a JSON value as `mask_secrets` does."""
    if isinstance(value, str):
        return mask_secrets(value, known)
    if isinstance(value, dict):
        return {key: mask_secrets_in_json(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_secrets_in_json(item, known) for item in value]
    return value


def mask_credentials(value: str) -> str:
    """Mask the value of a header that says who asks; the scheme stays: `Bearer ***`."""
    scheme, _, rest = value.partition(" ")
    return f"{scheme} {MASK}" if rest and scheme.lower() in _SCHEMES else MASK


def mask_userinfo(address: str) -> str:
    """Mask who is named before an address's host, however badly it is written: `user:password@host` too."""
    return _USERINFO.sub(rf"\1{MASK}@", address)


def mask_query(url: str) -> str:
    """Mask all of an address's query: which part of it is secret, only its owner knows."""
    address, _, query = url.partition("?")
    return f"{address}?{MASK}" if query else address


def is_secret_header(name: str) -> bool:
    """Return whether by its name a header's value is a secret."""
    return bool(_SECRET_HEADER.search(name))


def is_unmistakable(secret: str) -> bool:
    """Return whether a value is no word that our own sentences might hold: those say "wrong" of a password `wrong`."""
    return len(secret) >= _AS_A_WORD and not (len(secret) <= _LONGEST_WORD and _WORD.fullmatch(secret))


def mask_known(text: str, known: Iterable[str]) -> str:
    """Mask the `known` values alone."""
    forms = [form for secret in known for form in _forms(secret) if form[0] in text]
    if not forms:
        return text
    forms.sort(key=lambda form: len(form[0]), reverse=True)  # the longest first: one may hold another
    while (masked := _replace(text, forms)) != text:  # what stood around a value may make another one now
        text = masked
    return text


def _replace(text: str, forms: Iterable[tuple[str, re.Pattern[str]]]) -> str:
    for form, pattern in forms:
        if form in text:
            text = pattern.sub(MASK, text)
    return text


@lru_cache(maxsize=1024)
def _forms(secret: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the ways in which texts, JSON, URLs and Python write a value, each with the pattern that finds it."""
    forms = {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
    }
    before, after = _surroundings(secret)
    return tuple((form, re.compile(before + re.escape(form) + after)) for form in forms if form)


def _surroundings(secret: str) -> tuple[str, str]:
    """Return the patterns of what must stand before and after a value, so that no word or number is taken for it."""
    if len(secret) < _AS_A_WORD:
        return "(?<=[\"'])", "(?=[\"'])"
    if len(secret) < _ANYWHERE:
        return _not_behind(r"\w"), r"(?!\w)"
    if len(secret) <= _LONGEST_WORD and _WORD.fullmatch(secret):
        return _not_behind(_LETTER), f"(?!{_LETTER})"
    return "", ""


def _not_behind(character: str) -> str:
    """Return the pattern of a place that is not behind such a character, but for the end of an escape: `\\n`, `%20`."""
    return rf"(?:(?<!{character})|(?<=\\[abfnrtv])|(?<=\\u[\da-fA-F]{{4}})|(?<=%[\da-fA-F]{{2}}))"
