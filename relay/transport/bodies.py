"""Read the body of an answer: as text, as JSON, or why it is none. Pure.

The one place where bytes that others send become text: for sinks, look-ups and accounts. A byte order mark says how
they are encoded, else the charset of Content-Type, else they are UTF-8. 1C sends both marks and windows-1251.
"""

import codecs
import re
from functools import lru_cache
from typing import Final

import msgspec

from relay.model import Json
from relay.transport.messages import Response

_UTF8: Final = "utf-8"
# The mark of UTF-32 begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, _UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARKS_BEGIN: Final = frozenset(mark[:1] for mark, _ in _MARKS)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.ASCII | re.IGNORECASE)
# Python's names of what is no charset of a page, or (ASCII) what UTF-8 reads as well.
_NO_CHARSETS: Final = frozenset({"ascii", "idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7"})


def body_text(answer: Response, limit: int | None = None) -> str:
    """Return a body, or its first `limit` bytes, as text; what its charset does not know becomes U+FFFD."""
    charset, start = _encoding(answer)
    return answer.body[start:limit].decode(charset, errors="replace")


def body_json(answer: Response) -> Json:
    """Return the JSON of a body; None where it is none, or where only its beginning arrived."""
    if answer.truncated:
        return None
    try:
        return _decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def json_problem(answer: Response) -> str:
    """Return why a body cannot be read as JSON, without quoting it; "" where it can."""
    if answer.truncated:
        return "only its beginning arrived"
    charset, start = _encoding(answer)
    try:
        _decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = answer.body[start:].decode(charset, errors="replace").strip()
        if not text:
            return "it is empty"
        if text.startswith("<"):
            return "it is a page (HTML or XML), no JSON"
        if isinstance(error, UnicodeDecodeError):
            return f"it is no {charset}, and Content-Type names no other charset"
        return "it is no JSON: " + str(error).removeprefix("JSON is malformed: ")
    return ""


def _decode(answer: Response) -> Json:
    charset, start = _encoding(answer)
    body = answer.body[start:]
    content: Json = msgspec.json.decode(body if charset == _UTF8 else body.decode(charset))
    return content


def _encoding(answer: Response) -> tuple[str, int]:
    """Return the charset of a body, and where it begins behind a byte order mark."""
    if answer.body[:1] in _MARKS_BEGIN:
        for mark, charset in _MARKS:
            if answer.body.startswith(mark):
                return charset, len(mark)
    return _declared_charset(answer.headers.get("Content-Type", "")), 0


@lru_cache(maxsize=64)
def _declared_charset(content_type: str) -> str:
    declared = _CHARSET.search(content_type)
    return _known_charset(declared[1]) if declared else _UTF8


def _known_charset(name: str) -> str:
    try:
        charset = codecs.lookup(name).name
        "".encode(charset)  # a codec between bytes and bytes, such as zip, is refused
    except LookupError:
        return _UTF8
    return _UTF8 if charset in _NO_CHARSETS else charset
