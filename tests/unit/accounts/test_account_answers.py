"""What each of amoCRM's answers means."""

import json

import pytest
from multidict import CIMultiDict

from relay.accounts.answers import LOCKOUT_MS, Pause, parse_account_answer, required_pause
from relay.errors import AccountRefused, AccountUnavailable
from relay.transport import Response

NOW = 1_790_000_000_000
WHAT = "acme: GET /api/v4/leads"
INVALID = {"title": "Bad Request", "validation-errors": [{"errors": [{"path": "settings", "detail": "no"}]}]}
JSON, PROBLEM, HTML = "application/hal+json", "application/problem+json", "text/html; charset=utf-8"


def answer(status: int, body: object = b"", kind: str = JSON, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    response_headers = CIMultiDict(
        {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    )
    return Response(status=status, headers=response_headers, body=raw)


@pytest.mark.parametrize(
    ("answered", "tries", "ms"),
    [
        (answer(429), 0, 1_000),
        (answer(429), 2, 4_000),  # 1 s, doubled twice
        (answer(429), 20, 60_000),  # and never more than a minute
        (answer(429, retry_after="7"), 3, 7_000),
        (answer(429, retry_after="0"), 0, 1),
        (answer(403, b"<html>", HTML), 0, LOCKOUT_MS),
        (answer(403, b"<html>", HTML, retry_after="60"), 0, 60_000),
    ],
)
def test_too_many_requests_are_answered_with_a_pause(answered: Response, tries: int, ms: int) -> None:
    found = required_pause(answered, tries, NOW)
    assert isinstance(found, Pause)
    assert found.ms == ms


@pytest.mark.parametrize(
    "answered", [answer(200), answer(401), answer(403, {}, PROBLEM), answer(500), answer(503, retry_after="5")]
)
def test_nothing_else_is_a_pause_for_everybody(answered: Response) -> None:
    assert required_pause(answered, 0, NOW) is None


@pytest.mark.parametrize(
    ("answered", "found"),
    [
        (answer(200, {"id": 1}), {"id": 1}),
        (answer(201, {"id": 1}), {"id": 1}),
        (answer(200), None),
        (answer(204), None),
        (answer(404, {"title": "Not Found"}, PROBLEM), None),
    ],
)
def test_the_content_of_an_answer(answered: Response, found: object) -> None:
    assert parse_account_answer(WHAT, answered) == found


@pytest.mark.parametrize(
    ("answered", "text"),
    [
        (answer(400, INVALID, PROBLEM), "amoCRM refuses with 400: Bad Request; settings: no"),
        (answer(401, b"", PROBLEM), "amoCRM refuses with 401: our token is not accepted"),
        (answer(402, b"x", HTML), "amoCRM refuses with 402: the account is not paid for"),
        (answer(403, {"detail": "no rights"}, PROBLEM), "amoCRM refuses with 403: no rights"),
        (answer(404, b"<html>", HTML), "amoCRM's API is not at this address (404): is api.url right?"),
        (answer(301, location="https://x.kommo.com/?b=c"), "amoCRM redirects to x.kommo.com: is api.url right?"),
        (answer(302, location="https://["), "amoCRM redirects to nowhere: is api.url right?"),
        (answer(418), "amoCRM refuses with 418"),
    ],
)  # fmt: skip
def test_what_will_never_work_is_refused_with_its_reason(answered: Response, text: str) -> None:
    with pytest.raises(AccountRefused) as caught:
        parse_account_answer(WHAT, answered)
    assert str(caught.value) == f"{WHAT}: {text}"


@pytest.mark.parametrize(
    "answered",
    [
        answer(500),
        answer(503),
        answer(408),
        answer(200, b"<html>", HTML),
        answer(200, b"[]"),
        answer(200, b"[" * 100_000),
        Response(status=200, headers={}, body=b'{"id": 1}', truncated=True),
    ],
)
def test_what_may_work_later_is_unavailable(answered: Response) -> None:
    with pytest.raises(AccountUnavailable):
        parse_account_answer(WHAT, answered)
