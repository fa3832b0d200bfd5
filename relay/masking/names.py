"""Mask the names of people: known by the fields that they stand in, they are masked wherever else they are written.

No pattern tells a name from another word. So who shows something collects the names of the people behind it first, for
as long as a request or a command lasts (`collect_names`, `add_names`), and what is masked meanwhile has none of them.
The titles of leads and the names of companies are no names of people; those of the account's own users are the
operator's business.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

from relay.masking.secrets import MASK
from relay.model import Json

# What in hooks, in API v4 and in what is sent a person is called, and what may stand between that and their fields.
_PEOPLE: Final = re.compile(
    r"(?:main_)?contacts?|clients?|customers?|buyers?|counterpart(?:y|ies)|persons?|people|authors?|recipients?|agent"
    r"|клиент|контакт|покупатель|контрагент",
    re.IGNORECASE,
)
_BETWEEN: Final = re.compile(r"\d+|add|update|delete|restore|_embedded|data")
_NAME: Final = re.compile(r"name|title|имя", re.IGNORECASE)
# What is a person's name wherever it stands.
_ALWAYS: Final = re.compile(
    r"(?:(?:contact|client|customer|buyer|person)_?)?(?:first|last|middle|full|second)_?name"
    r"|(?:contact|client|customer|buyer|person)_?name|patronymic|surname|fio|фио|фамилия|отчество",
    re.IGNORECASE,
)
_COMPANY: Final = "company"
_WORD: Final = re.compile(r"[^\W\d_][\w'’-]*")
_ESCAPE: Final = re.compile(r"%[0-9A-F]{2}")
_LONGEST: Final = 200  # characters of a name: more is a text
_MOST_NAMES: Final = 200  # of one request: a page shows few people
_KNOWN: ContextVar[set[str] | None] = ContextVar("names of people", default=None)


def collect_names() -> None:
    """Begin to collect names, for this request or command."""
    _KNOWN.set(set())


def add_names(value: Json) -> None:
    """Add the names of people within a decoded hook, a record of the account, or what is sent.

    Nothing is added where nobody collects: then nothing is shown to anybody.
    """
    known = _KNOWN.get()
    if known is not None and len(known) < _MOST_NAMES:
        known.update(find_names(value))


def find_names(value: Json) -> Iterator[str]:
    """Yield the names of people within a value, by the fields that they stand in."""
    yield from _find(value, of_person=False)


def _find(value: Json, *, of_person: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        is_company = value.get("type") == _COMPANY
        for key, one in value.items():
            if isinstance(one, str):
                if _ALWAYS.fullmatch(key) or (of_person and not is_company and _NAME.fullmatch(key)):
                    yield one
            else:
                yield from _find(one, of_person=bool(_PEOPLE.fullmatch(key) or (of_person and _BETWEEN.fullmatch(key))))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from _find(one, of_person=of_person)


def mask_names(text: str) -> str:
    """Mask the names that were collected, as texts, JSON and forms write them: `A*** P***`."""
    known = _KNOWN.get()
    if not known:
        return text
    pattern, masks = _compiled(frozenset(known))
    return pattern.sub(lambda found: masks[found[0]], text) if masks else text


@lru_cache(maxsize=64)
def _compiled(names: frozenset[str]) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """Return a pattern that finds names as they may be written, and the mask of each way."""
    masks: dict[str, str] = {}
    for name in names:
        for part in _parts(name):
            masked = _mask(part)
            masks |= {part: masked, json.dumps(part)[1:-1]: masked}
            for form in (quote, quote_plus):
                quoted = form(part, safe="")
                masks |= dict.fromkeys(
                    {quoted, _ESCAPE.sub(lambda one: one[0].lower(), quoted)}, form(masked, safe="*")
                )
    ways = sorted(masks, key=len, reverse=True)  # the longest first: one may begin with another
    return re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in ways)), masks


def _parts(name: str) -> Iterator[str]:
    """Yield a name, and its words that are written as names are: others may be words of a sentence."""
    name = name.strip()
    if len(name) > _LONGEST or not _WORD.search(name):
        return
    words = _WORD.findall(name)
    if len(words) > 1 or len(name) > 1:
        yield name
    yield from (word for word in words if len(word) > 1 and word[0].isupper())


def _mask(name: str) -> str:
    return " ".join(f"{word[0]}{MASK}" for word in _WORD.findall(name))
