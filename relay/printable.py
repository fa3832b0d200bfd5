"""Escape characters that a terminal obeys and a reader does not see: texts come from hooks and from others' answers.

Escape sequences rewrite what stands above them, a line end forges a line of the log, and a bidirectional mark turns the
order of what is read. Pure.
"""

import re
from typing import Final

_MARKS: Final = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # DEL, C1, line ends, bidirectional marks
_UNSEEN: Final = re.compile(f"[\x00-\x1f{_MARKS}]")
_UNSEEN_IN_LINES: Final = re.compile(f"[\x00-\x08\x0b-\x1f{_MARKS}]")  # all but tabs and line ends
_UNSEEN_IN_JSON: Final = re.compile(f"[{_MARKS}]")  # the encoder escapes the others
_SHORT: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def escape_line(text: str) -> str:
    """Return a text that is part of a line, with line ends and all that is not seen escaped as in Python."""
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub(_escape, text)


def escape_lines(text: str) -> str:
    """Return a text of several lines, with all that is not seen escaped but line ends and tabs."""
    return _UNSEEN_IN_LINES.sub(_escape, text)


def escape_json(encoded: str) -> str:
    """Return encoded JSON that means the same, with what the encoder leaves and a terminal obeys escaped."""
    return encoded if encoded.isascii() and "\x7f" not in encoded else _UNSEEN_IN_JSON.sub(_escape_in_json, encoded)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _SHORT.get(found[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _escape_in_json(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
