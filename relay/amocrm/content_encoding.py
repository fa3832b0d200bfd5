"""Bodies that are compressed: inflate them, and never to more than a limit."""

import zlib
from collections.abc import Sequence
from typing import Final

from relay.amocrm.remarks import AddRemark
from relay.errors import Malformed

_GZIP_MAGIC: Final = b"\x1f\x8b"
_MAX_CODINGS = 3  # of one body: each costs as much as the limit allows
_GZIP, _ZLIB, _BARE_DEFLATE = 31, 15, -15  # `wbits` of zlib
_IDENTITY = frozenset({"", "identity"})
_COMPRESSIONS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _BARE_DEFLATE)}


def is_compressed(body: bytes, content_encoding: str) -> bool:
    """Return whether a body may have to be inflated: it says so, or begins as gzip does."""
    return bool(content_encoding) or body.startswith(_GZIP_MAGIC)


def inflate(body: bytes, content_encoding: str, max_size: int, add_remark: AddRemark) -> bytes:
    """Return a body without its `Content-Encoding`. One that a proxy has undone already, or does not name, is seen.

    Raises Malformed where it is broken, or inflates to over `max_size` bytes.
    """
    if not is_compressed(body, content_encoding):
        return body
    codings = [one for part in content_encoding.split(",") if (one := part.strip().lower()) not in _IDENTITY]
    if len(codings) > _MAX_CODINGS:
        raise Malformed(f"body: {len(codings)} content encodings, at most {_MAX_CODINGS}")
    for coding in reversed(codings):
        if coding in _COMPRESSIONS:
            body = _inflate(body, coding, max_size, add_remark)
        else:
            add_remark(f"Content-Encoding {coding[:40]!r} is not known, gzip and deflate are: read as it came")
    return _inflate(body, "gzip", max_size, add_remark) if body.startswith(_GZIP_MAGIC) else body


def _inflate(body: bytes, coding: str, max_size: int, add_remark: AddRemark) -> bytes:
    is_gzip = body.startswith(_GZIP_MAGIC)
    if coding != "deflate" and not is_gzip:
        add_remark(f"Content-Encoding is {coding}, the body is not: read as it came")
        return body
    found = _try_inflating(body, (_GZIP,) if is_gzip else _COMPRESSIONS[coding], max_size)
    if found is None and is_gzip:
        raise Malformed(f"body: {coding} that does not inflate, it is damaged")
    if found is None:
        add_remark(f"Content-Encoding is {coding}, the body is not: read as it came")
        return body
    inflated, inflater = found
    if len(inflated) > max_size:
        raise Malformed(f"body: it inflates to over {max_size:,} bytes, the limit (ingress.max_body)")
    if not inflater.eof:
        add_remark(f"body: its {coding} was cut, what came of it is read")
    elif inflater.unused_data.strip(b"\0"):
        add_remark(f"body: {len(inflater.unused_data):,} bytes after the end of its {coding} are left out")
    return inflated


def _try_inflating(body: bytes, formats: Sequence[int], max_size: int) -> "tuple[bytes, zlib._Decompress] | None":
    """Inflate to one byte more than a limit, by the first format that fits; None where none does."""
    for wbits in formats:
        inflater = zlib.decompressobj(wbits)
        try:
            inflated = inflater.decompress(body, max_size + 1)
        except zlib.error:
            continue
        if wbits != _BARE_DEFLATE or inflater.eof or len(inflated) > max_size:
            return inflated, inflater  # bare deflate has no header: a text may begin like it, but never end so
    return None
