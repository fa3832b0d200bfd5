"""Line breaks in what must be one line: most are pasted with a key, or come from the end of a file. Pure."""

import re

_LINE_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def outer_line_break(text: str) -> str | None:
    """Return where a text has a line break that is no part of it: "at its end" or "before it"; None where nowhere."""
    if text and _LINE_BREAK.match(text[-1]):
        return "at its end"
    return "before it" if _LINE_BREAK.match(text) else None


def line_break_in_secret(secret: str) -> str | None:
    """Return what is wrong with a secret that is not one line, without showing it; None where it is one."""
    if where := outer_line_break(secret):
        return f"has a line break {where}, which was pasted with it: write it without"
    return "has a line break in it: write it on one line" if _LINE_BREAK.search(secret) else None
