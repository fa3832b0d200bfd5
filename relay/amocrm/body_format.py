"""How a body is written: its first bytes tell, for content types are wrong too often."""

from typing import Final, Literal, TypeAlias

JUNK_IN_FRONT: Final = b"\xef\xbb\xbf \t\r\n"
"""The bytes of what may stand before a body: a byte order mark, blanks, line ends."""


BodyFormat: TypeAlias = Literal["form", "json", "multipart"]


def body_format(body: bytes) -> BodyFormat:
    """Return how a body is written. No name of a form begins with a brace, a bracket or two hyphens."""
    if body[:1].isalpha():
        return "form"
    start = body.lstrip(JUNK_IN_FRONT)[:2]
    if start[:1] in (b"{", b"["):
        return "json"
    return "multipart" if start == b"--" else "form"
