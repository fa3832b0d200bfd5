"""Find a person in a body that nobody decodes: it is malformed, killed its workers, or was read in part. Pure."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_plus

from relay.amocrm.content_encoding import inflate, is_compressed
from relay.amocrm.limits import MAX_BODY_SIZE
from relay.amocrm.remarks import ignore
from relay.errors import Malformed
from relay.model import Receipt
from relay.operations.people_events import PersonMatch

_TIMES_QUOTED: Final = 3  # a body within a field of a form that a program has quoted once more
_ESCAPED: Final = re.compile(r"\\+u([0-9A-Fa-f]{4})")


def is_in_body(receipt: Receipt, match: PersonMatch, *, inflates: bool = True) -> bool:
    """Return whether a body speaks of a person, or has the id of a contact or lead of theirs. `inflates`: as below."""
    return any(
        match.is_in_text(text) or _has_entity(receipt.source, text, match)
        for text in spellings_of_body(receipt, inflates=inflates)
    )


def spellings_of_body(receipt: Receipt, *, inflates: bool = True) -> Iterator[str]:
    """Yield a body as the texts that it may mean, in any way in which forms and JSON write them.

    `inflates`: undo compression first, as is not done to what killed its workers: maybe that did.
    """
    body = receipt.body
    try:
        if inflates and is_compressed(body, receipt.content_encoding):
            body = inflate(body, receipt.content_encoding, MAX_BODY_SIZE, ignore)
    except Malformed:
        pass  # it is looked through as it is
    return _spellings(body.decode(errors="replace"))


def _spellings(text: str) -> Iterator[str]:
    """Yield a text as it is, and as often unquoted as programs may have quoted it."""
    for _ in range(_TIMES_QUOTED):
        yield _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        text, before = unquote_plus(text), text
        if text == before:
            return
    yield _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _has_entity(source: str, text: str, match: PersonMatch) -> bool:
    """Return whether a text has the id of a contact or lead of theirs, as amoCRM names it: `contacts[add][0][id]=7`."""
    return any(
        kind in text and re.search(rf"(?<![A-Za-z])(?:{kind}_|element_|entity_)?id\W{{0,16}}{id}(?!\d)", text)
        for kind, id in match.entities_of(source)
    )
