"""What the one who asks may do: `relay.web.admin.guard` finds out, before any page or address of the API is reached."""

import hmac
from collections.abc import Awaitable, Callable
from enum import StrEnum
from hashlib import sha256
from typing import Final, TypeAlias

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from relay.errors import StoreUnavailable
from relay.model import Record
from relay.store.acts import Author
from relay.translation.messages import message
from relay.web.admin.refusal import refuse
from relay.web.operator_access import Right

OPERATOR: Final = "operator"  # who acts, where nobody has given a name
FORM_TOKEN_FIELD: Final = "form_token"
MAX_NAME: Final = 60
READ_ONLY: Final = message(
    "this sign-in may look, and change or reveal nothing: sign in with RELAY_ADMIN_TOKEN for that"
)
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class How(StrEnum):
    """How an operator is known."""

    SESSION = "session"  # a browser that signed in
    BEARER = "bearer"  # a program with a token
    LOOPBACK = "loopback"  # this machine, where no token is set


class Operator(Record):
    """Who asks: a name for the audit, what that one may do, and how this is known."""

    by: str
    right: Right
    how: How


def operator_of(request: HTTPConnection) -> Operator | None:
    """Return who asks; None: a stranger, who reaches nothing but the sign-in page."""
    found = request.scope.get("state", {}).get("operator")
    return found if isinstance(found, Operator) else None


def may_read(request: HTTPConnection) -> bool:
    """Return whether the one who asks may look."""
    return operator_of(request) is not None


def may_act(request: HTTPConnection) -> bool:
    """Return whether the one who asks may change things and see people unmasked."""
    operator = operator_of(request)
    return operator is not None and operator.right is Right.ACT


async def goes_on(request: HTTPConnection) -> bool:
    """Return whether the one who asked may still look: that of an answer that takes long. True while nobody knows."""
    ask: Callable[[], Awaitable[bool]] | None = request.scope.get("state", {}).get("session_goes_on")
    if ask is None:
        return True
    try:
        return await ask()
    except StoreUnavailable:
        return True


def acting(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that changes or reveals something for those who may; others get 403.

    That the request came from a page of ours the guard has seen before.
    """

    async def guarded(request: Request) -> Response:
        return await endpoint(request) if may_act(request) else refuse(request, 403, READ_ONLY)

    return guarded


def actor(request: HTTPConnection, by: str = "") -> str:
    """Return who acts, as audit and stories show it. Only a program says by itself whom it acts for (`by`)."""
    operator = operator_of(request)
    if operator is None:
        return OPERATOR
    return by[:MAX_NAME] if by and operator.how is not How.SESSION else operator.by


def author(request: HTTPConnection, why: str = "", by: str = "") -> Author:
    """Return who acts and why, for the audit."""
    return Author(by=actor(request, by), why=why)


def form_of(request: HTTPConnection) -> ImmutableMultiDict[str, str]:
    """Return the fields of the form that was sent, which the guard has read; empty where there is none."""
    found = request.scope.get("state", {}).get("form")
    return found if isinstance(found, ImmutableMultiDict) else ImmutableMultiDict()


def form_token(request: HTTPConnection) -> str:
    """Return what a form (field `form_token`) or a script (header `X-Form-Token`) of this page must send along."""
    return str(request.scope.get("state", {}).get("form_token", ""))


def make_form_token(secret: str) -> str:
    """Return the token of the forms of whoever has this cookie: nobody else can know it."""
    return hmac.new(secret.encode(errors="surrogatepass"), b"form", sha256).hexdigest()
