"""Interpret amoCRM's answers. Pure.

204 is an empty list. 429 is too many requests; a client that goes on all the same gets 403 for everything, sometimes as
HTML, and is locked out for a while.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from relay.errors import AccountRefused, AccountUnavailable
from relay.model import Record
from relay.sinks.retry_after import parse_retry_after
from relay.transport import Response, body_json, json_problem

JsonObject: TypeAlias = Mapping[str, Any]

LOCKOUT_MS = 5 * 60_000
MIN_PAUSE_MS, MAX_PAUSE_MS = 1_000, 60_000
_MAX_DETAILS = 300  # characters of a refusal in our message
_STATUS_MEANINGS = {
    401: "our token is not accepted",
    402: "the account is not paid for",
    403: "the token's user or integration has no right to do this",
    404: "there is no such thing",
}


class Pause(Record):
    """For how long no worker may ask the account, and why."""

    ms: int
    reason: str


def required_pause(answer: Response, tries: int, now: int) -> Pause | None:
    """Return the pause that an answer requires, None where it does not.

    `tries` is the number of tries before this one, `now` (epoch milliseconds) is for Retry-After dates.
    """
    retry_after = parse_retry_after(answer.headers.get("Retry-After"), now)
    if answer.status == 429:
        ms = min(MIN_PAUSE_MS * 2**tries, MAX_PAUSE_MS) if retry_after is None else retry_after
        return Pause(ms=max(ms, 1), reason="amoCRM says that there are too many requests (429)")
    if answer.status == 403 and not _is_json(answer):
        reason = "amoCRM has locked the account's API after too many requests (403 and a page instead of data)"
        return Pause(ms=retry_after or LOCKOUT_MS, reason=reason)
    return None


def parse_account_answer(request: str, answer: Response) -> JsonObject | None:
    """Return the content of an answer; None where there is none: 204, or 404 of something that was asked for.

    `request` names the request in messages. Raises AccountRefused, AccountUnavailable.
    """
    status = answer.status
    if status == 204 or (status == 404 and _is_json(answer)):
        return None
    if status // 100 == 2:
        return _content(request, answer)
    if status // 100 == 3:
        raise AccountRefused(f"{request}: amoCRM redirects to {_redirect_host(answer)}: is api.url right?")
    if status // 100 == 5 or status in (408, 425):
        raise AccountUnavailable(f"{request}: amoCRM answers {status}")
    if status == 404:
        raise AccountRefused(f"{request}: amoCRM's API is not at this address (404): is api.url right?")
    details = "; ".join(_error_details(answer)) or _STATUS_MEANINGS.get(status, "")
    raise AccountRefused(
        f"{request}: amoCRM refuses with {status}" + (f": {details[:_MAX_DETAILS]}" if details else "")
    )


def _content(request: str, answer: Response) -> JsonObject | None:
    if not answer.body and not answer.truncated:
        return None
    found = body_json(answer)
    if not isinstance(found, dict):
        problem = json_problem(answer) or "it is no JSON object"
        raise AccountUnavailable(f"{request}: amoCRM's answer cannot be read: {problem}")
    return found


def _is_json(answer: Response) -> bool:
    return "json" in answer.headers.get("Content-Type", "").lower()


def _redirect_host(answer: Response) -> str:
    try:
        return urlsplit(answer.headers.get("Location", "")).hostname or "nowhere"
    except ValueError:
        return "nowhere"


def _error_details(answer: Response) -> Iterator[str]:
    """Return the details of a problem (application/problem+json) or of an OAuth error."""
    found = body_json(answer)
    if not isinstance(found, dict):
        return
    for key in ("title", "detail", "hint"):
        if isinstance(found.get(key), str) and found[key]:
            yield found[key]
    for validation in _objects(found.get("validation-errors")):
        for error in _objects(validation.get("errors")):
            yield f"{error.get('path')}: {error.get('detail') or error.get('code')}"


def _objects(value: object) -> Iterator[JsonObject]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))
