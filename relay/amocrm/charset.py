"""Bodies that are declared to be in another charset than UTF-8."""

import codecs
import re

from relay.amocrm.body_format import BodyFormat
from relay.amocrm.escapes import transcode_escapes
from relay.amocrm.remarks import AddRemark

_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"',]+)""", re.IGNORECASE)
# Clients declare these by default, whatever they send. PHP looks at no charset, so nobody notices.
_DECLARED_BY_DEFAULT = frozenset({"utf-8", "ascii", "iso8859-1"})
# One byte a character, and brackets and digits where ASCII has them.
_KNOWN = frozenset(
    {
        *("koi8-r", "koi8-u", "koi8-t", "cp866", "cp855", "mac-cyrillic", "kz1048", "ptcp154"),
        *(f"cp{page}" for page in range(1250, 1259)),
        *(f"iso8859-{part}" for part in range(2, 17)),
    }
)


def to_utf8(body: bytes, content_type: str, format: BodyFormat, add_remark: AddRemark) -> bytes:
    """Return a body in UTF-8, by the charset that its content type declares."""
    declared = _CHARSET.search(content_type)
    charset = _codec_name(declared[1]) if declared else "utf-8"
    if charset in _DECLARED_BY_DEFAULT:
        return body
    if charset not in _KNOWN:
        add_remark(f"charset {charset[:40]!r} is not known: the body is read as UTF-8")
        return body
    text = body.decode(charset, "replace")
    if format == "form":
        text = transcode_escapes(text, charset)
    if "\ufffd" in text or "%EF%BF%BD" in text:
        add_remark(f"body: not all of it is {charset}: U+FFFD stands for what is not")
    return text.encode()


def _codec_name(charset: str) -> str:
    """Return Python's name of a charset, or the charset itself where it has none."""
    try:
        return codecs.lookup(charset).name
    except (LookupError, ValueError):
        return charset
