"""What amoCRM's answers mean. Pure.

204 is an empty list. 429 is too many requests; who goes on gets 403 for everything, sometimes as HTML, and stays
shut out for a while.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from relay.errors import AccountRefused, AccountUnavailable
from relay.model import Record
from relay.sinks.retry_after import parse_retry_after
from relay.transport import Response

JsonObject: TypeAlias = Mapping[str, Any]

LOCKOUT_MS = 5 * 60_000
FIRST_WAIT_MS, LONGEST_WAIT_MS = 1_000, 60_000
_SHOWN = 300
_ADVICE = {
    401: "our token is not accepted",
    402: "the account is not paid for",
    403: "the token's user or integration has no right to do this",
    404: "there is no such thing",
}


class Pause(Record):
    """For how long nobody may ask the account, and why."""

    ms: int
    reason: str


def required_pause(answer: Response, tried: int, now: int) -> Pause | None:
    """Say for how long an answer tells us to stay away, None where it does not.

    `tried` counts the tries before this one, `now` (epoch milliseconds) is for Retry-After dates.
    """
    asked = parse_retry_after(answer.headers.get("Retry-After"), now)
    if answer.status == 429:
        wait = min(FIRST_WAIT_MS * 2**tried, LONGEST_WAIT_MS) if asked is None else asked
        return Pause(ms=max(wait, 1), reason="amoCRM says that there are too many requests (429)")
    if answer.status == 403 and not _is_json(answer):
        reason = "amoCRM has shut the account's API for too many requests (403 and a page instead of data)"
        return Pause(ms=asked or LOCKOUT_MS, reason=reason)
    return None


def parse_answer(what: str, answer: Response) -> JsonObject | None:
    """Return what an answer holds; None where there is nothing: 204, or 404 of something that was asked for.

    `what` names the request in messages. Raises AccountRefused, AccountUnavailable.
    """
    status = answer.status
    if status == 204 or (status == 404 and _is_json(answer)):
        return None
    if status // 100 == 2:
        return _content(what, answer)
    if status // 100 == 3:
        raise AccountRefused(f"{what}: amoCRM sends us on to {_host(answer)}: is api.url right?")
    if status // 100 == 5 or status in (408, 425):
        raise AccountUnavailable(f"{what}: amoCRM answers {status}")
    if status == 404:
        raise AccountRefused(f"{what}: nothing of amoCRM's is at this address (404): is api.url right?")
    said = "; ".join(_complaints(answer)) or _ADVICE.get(status, "")
    raise AccountRefused(f"{what}: amoCRM refuses with {status}" + (f": {said[:_SHOWN]}" if said else ""))


def _content(what: str, answer: Response) -> JsonObject | None:
    if not answer.body and not answer.truncated:
        return None
    found = None if answer.truncated else _decoded(answer)
    if not isinstance(found, dict):
        raise AccountUnavailable(f"{what}: amoCRM's answer is cut off or not JSON")
    return found


def _decoded(answer: Response) -> object:
    try:
        found: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return found


def _is_json(answer: Response) -> bool:
    return "json" in answer.headers.get("Content-Type", "").lower()


def _host(answer: Response) -> str:
    try:
        return urlsplit(answer.headers.get("Location", "")).hostname or "nowhere"
    except ValueError:
        return "nowhere"


def _complaints(answer: Response) -> Iterator[str]:
    """Find what a problem (application/problem+json) or an OAuth error says of itself."""
    found = _decoded(answer)
    if not isinstance(found, dict):
        return
    for key in ("title", "detail", "hint"):
        if isinstance(found.get(key), str) and found[key]:
            yield found[key]
    for validation in _maps(found.get("validation-errors")):
        for error in _maps(validation.get("errors")):
            yield f"{error.get('path')}: {error.get('detail') or error.get('code')}"


def _maps(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))
