"""Take a person out of a hook's body: what says something becomes "erased", what says which and when stays. Pure.

A hook is decoded, the items that speak of the person are rewritten, and all of it is encoded as a form: its items stay
in their order, with their ids, times and numbers, so that it decodes into the same events as before.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from relay.amocrm.body import decode_body
from relay.amocrm.form import encode_form
from relay.amocrm.items import ENTITY_KEYS, read_items, unwrap
from relay.amocrm.remarks import ignore
from relay.model import Receipt, Record, Value
from relay.operations.people_events import PersonMatch, texts_of
from relay.operations.people_raw import spellings_of_body

ERASED: Final = "erased"
FORM: Final = "application/x-www-form-urlencoded"
_CUSTOM: Final = ("custom_fields", "custom_fields_values")
# Fields whose values say which thing it is, when, and of what kind: in hooks and in API v4.
_OF_THINGS: Final = re.compile(
    r"(?:\w+_)?(?:id|ids|uid|at|type|code|enum)|id|ID|last_modified|date_create|timestamp\w*|price|sale|status|position"
    r"|is_\w+|complete_(?:till|before)|action_close|action|enum|enum_id|code|field_code|field_type|subdomain|origin"
)
# Of a fact, what says which thing it is about, what became of that, when and how often.
_KEPT_OF_FACTS: Final = re.compile(
    r"id|event|event_id|entity|entity_id|source|route|sink|state|attempts|status|name|type|kind|subject|count|since|at|each"
    r"|closed_by|closed_at"
)
_FACT: Final = msgspec.json.Decoder(dict[str, dict[str, str]])
_PLAIN: Final = re.compile(
    r"-?\d{1,20}(?:\.\d{1,6})?|[a-z][a-z_.]{0,39}|[A-Z][A-Z_]{0,39}|[0-9a-f]{8}-[0-9a-f-]{27}", re.ASCII
)
_IDS: Final = ("id", "uid", "talk_id", "element_id")
_LABELS: Final = ("name", "field_name")  # of a custom field: the account's word for it, and nobody's name


class RedactedBody(Record):
    """A body without a person, and the texts that were taken out of it."""

    body: bytes
    texts: frozenset[str]


def redact_body(receipt: Receipt, indexes: Collection[int], match: PersonMatch) -> RedactedBody:
    """Return a form with the items of these events rewritten; without any, with all of them. Raises Malformed."""
    values = decode_body(receipt, ignore)
    inner = unwrap(values, ignore) if ENTITY_KEYS.isdisjoint(values) else values
    texts: set[str] = set()
    for index, (_, _, data) in enumerate(read_items(inner, ignore)):
        if index in indexes:
            _redact(data, "", match, texts)
    body = encode_form(values)
    written = replace(receipt, body=body, content_encoding="", content_type=FORM)
    if not indexes or any(map(match.is_in_text, spellings_of_body(written))):
        _redact(values, "", match, texts)  # it names them beside its items, too
        body = encode_form(values)
    return RedactedBody(body=body, texts=frozenset(texts))


def _redact(node: "dict[str, Value] | list[Value]", field: str, match: PersonMatch, texts: set[str]) -> None:
    """Rewrite what is within a value. `field`: what it is called."""
    items = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
    for key, value in items:
        name = field if isinstance(key, int) or key.isdecimal() else key
        if isinstance(value, str):
            kept = _stays(field, name, value, match)
            texts.update(() if kept or not value else (value,))
            node[key] = value if kept or not value else ERASED  # type: ignore[index]
        else:
            _redact(value, f"{field}." if field in _CUSTOM else name, match, texts)
        if isinstance(node, dict) and isinstance(key, str) and match.is_in_text(key):
            _rename(node, key)


def _stays(above: str, name: str, value: str, match: PersonMatch) -> bool:
    """Return whether a value says nothing of a person. `above`: what is around it, "." behind a custom field."""
    if not above and name in _IDS:
        return True  # by it the event is listed
    if above.endswith(".") and name in _LABELS:
        return not match.is_in_text(value)
    return bool(_OF_THINGS.fullmatch(name) and _PLAIN.fullmatch(value)) and not match.is_in_text(value)


def _rename(node: "dict[str, Value]", key: str) -> None:
    """Give what is under a key another one, in its place."""
    names = iter(f"{ERASED}{n or ''}" for n in range(len(node) + 1))
    new = next(name for name in names if name not in node)
    renamed = [(new if name == key else name, value) for name, value in node.items()]
    node.clear()
    node.update(renamed)


def redact_fact(body: bytes, redaction: "TextRedaction") -> bytes:
    """Return the body of a fact of the relay: what it says which, when and how often stays, all else is erased."""
    try:
        views = _FACT.decode(body)
    except msgspec.MsgspecError:
        return ERASED.encode()
    return msgspec.json.encode(
        {view: {key: _redact_of_fact(key, text, redaction) for key, text in of.items()} for view, of in views.items()}
    )


def _redact_of_fact(key: str, text: str, redaction: "TextRedaction") -> str:
    return redaction.redact(text) if _KEPT_OF_FACTS.fullmatch(key) or not text else ERASED


class TextRedaction:
    """Takes a person out of other texts: reasons, remarks, answers. `texts`: what was taken out of the hook."""

    def __init__(self, match: PersonMatch, texts: Collection[str]) -> None:
        self._match = match
        self._texts = [one.casefold() for one in texts if len(one) >= _FEWEST]

    def redact(self, text: str) -> str:
        """Return a text, or that it was erased where it has anything of them."""
        lower = text.casefold()
        says = any(one in lower for one in self._texts) or self._match.is_in_text(text)
        return ERASED if says else text


_FEWEST: Final = 3  # characters that tell a text from another


def texts_in(content: Mapping[str, object] | object) -> Iterator[str]:
    """Yield the texts of what was sent that may be somebody's."""
    yield from (one for one in texts_of(content) if not _PLAIN.fullmatch(one))
