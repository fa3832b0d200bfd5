"""Carry over a redirection what came of an act: in a cookie that the next page shows once."""

import base64
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from relay.model import Record
from relay.translation.messages import Translator
from relay.web.admin.content import Done
from relay.web.admin.cookies import set_cookie

COOKIE: Final = "relay_notice"
_MOST_LINES: Final = 20
_MOST_CHARACTERS: Final = 2500  # a browser keeps 4,096 bytes of a cookie


class Notice(Record):
    """What came of an act, in the language of the page."""

    ok: bool
    lines: list[str]


def set_notice(response: Response, request: Request, done: Done, translator: Translator) -> None:
    """Let the next page show what was done."""
    lines, left = [], _MOST_CHARACTERS
    for line in map(translator.say, done.lines[:_MOST_LINES]):
        left -= len(line.encode())
        if left < 0:
            break
        lines.append(line)
    if len(lines) < len(done.lines):
        lines.append(translator.text("and {n} more", n=len(done.lines) - len(lines)))
    value = base64.urlsafe_b64encode(msgspec.json.encode(Notice(ok=done.ok, lines=lines))).decode()
    set_cookie(response, request, COOKIE, value)


def read_notice(request: Request) -> Notice | None:
    """Return what the last act came to, where that was not shown yet."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(request.cookies[COOKIE]), type=Notice)
    except (KeyError, ValueError):  # none, or one that somebody has made
        return None
