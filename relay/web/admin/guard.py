"""Stand before all of `/admin`: know who asks, and let nothing be changed by a page of another site."""

import secrets
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relay.errors import StoreUnavailable
from relay.logs import log
from relay.translation.messages import message
from relay.web.admin.cookies import FORM, SESSION, set_cookie
from relay.web.admin.forms import FormTooLarge, read_form
from relay.web.admin.origins import FORM_TYPE, JSON_TYPE, is_ours, media_type
from relay.web.admin.refusal import is_api, refuse
from relay.web.admin.rights import FORM_TOKEN_FIELD, OPERATOR, How, Operator, form_of, form_token, make_form_token
from relay.web.admin.sessions import Sessions
from relay.web.admin.sign_in import SIGN_IN_PATH, sign_in_address
from relay.web.admin.token_guesses import TokenGuesses, TooManyGuesses
from relay.web.operator_access import OperatorTokens, Right, bearer_token, is_loopback

ROOT: Final = "/admin"
STATIC: Final = f"{ROOT}/static/"
CLOSED: Final = message("these pages are open on the relay's own machine only: RELAY_ADMIN_TOKEN is not set")
OLD_FORM: Final = message("this form is out of date: open the page again, and repeat it there")
FOREIGN: Final = message("this was sent by a page of another address: open the relay's own page, and repeat it there")
_SOON: Final = {"retry-after": "5"}
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
# A link in a message brings no strict cookie along; what the page itself then asks for does.
_AGAIN: Final = "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=0><title>amo-relay</title>"


class AdminGuard:
    """Middleware: whoever asks for something under `/admin` is known, or goes to the sign-in page."""

    def __init__(self, app: ASGIApp, tokens: OperatorTokens, sessions: Sessions, guesses: TokenGuesses) -> None:
        self._app = app
        self._tokens = tokens
        self._sessions = sessions
        self._guesses = guesses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on once it is known whose it is, or answer it."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == ROOT or path.startswith(f"{ROOT}/")):
            await self._app(scope, receive, send)
            return
        request, refusal = Request(scope, receive), None
        try:
            if not path.startswith(STATIC):
                refusal = await self._check(request)
        except StoreUnavailable as error:
            refusal = refuse(
                request, 503, message("the store does not answer: {error}; try again", error=str(error)), _SOON
            )
        await (refusal or self._app)(scope, receive, _with_headers(send, request))

    async def _check(self, request: Request) -> Response | None:
        """Find out who asks, and whether that may reach what it asks for. Returns a response where it may not."""
        state = request.scope.setdefault("state", {})
        try:
            operator = state["operator"] = await self._find_operator(request)
        except TooManyGuesses as error:
            return refuse(request, 429, error.reason, {"retry-after": str(error.seconds)})
        signing_in = request.url.path == SIGN_IN_PATH
        if operator is None and not self._tokens and not is_loopback(request):
            return refuse(request, 403, CLOSED)
        if operator is None and not signing_in:
            return self._ask_to_sign_in(request)
        secret = self._form_secret(request, operator)
        if secret:
            state["form_token"] = make_form_token(secret)
        if request.method not in ("GET", "HEAD") and (operator is None or operator.how is not How.BEARER):
            return await self._check_change(request)
        return None

    async def _find_operator(self, request: Request) -> Operator | None:
        token = bearer_token(request)
        if token is not None:
            right = self._tokens.right_of(token)
            if right is None:
                await self._guesses.note_wrong_bearer(request)
                return None
            return Operator(by=OPERATOR, right=right, how=How.BEARER)
        if found := await self._sessions.find(request.cookies.get(SESSION, "")):
            request.scope["state"]["session_goes_on"] = partial(self._session_goes_on, request.cookies[SESSION])
            return found
        if Right.ACT not in self._tokens and is_loopback(request):
            return Operator(by=OPERATOR, right=Right.ACT, how=How.LOOPBACK)
        return None

    async def _session_goes_on(self, id: str) -> bool:
        return await self._sessions.find(id) is not None

    def _ask_to_sign_in(self, request: Request) -> Response:
        if is_api(request):
            reason = message("for operators only: send Authorization: Bearer $RELAY_ADMIN_TOKEN")
            return refuse(request, 401, reason, {"www-authenticate": 'Bearer realm="relay"'})
        if request.method not in ("GET", "HEAD"):
            return refuse(request, 401, message("you are not signed in any more: sign in, and repeat it"))
        if request.headers.get("sec-fetch-site") == "cross-site":
            return HTMLResponse(_AGAIN)
        return RedirectResponse(sign_in_address(request), 303)

    def _form_secret(self, request: Request, operator: Operator | None) -> str:
        """Return what the forms of this browser are bound to: its session's cookie, or another that it is given."""
        if operator is not None and operator.how is How.BEARER:
            return ""
        name = SESSION if operator is not None and operator.how is How.SESSION else FORM
        secret = request.cookies.get(name, "")
        if not secret and not is_api(request) and request.method == "GET":
            secret = request.scope["state"]["new_form_cookie"] = secrets.token_urlsafe(32)
        return secret

    async def _check_change(self, request: Request) -> Response | None:
        """Refuse what a page of another site made the browser send, and forms that were not made for this browser."""
        if not is_ours(request):
            log.warning("operator.refused", reason="foreign", path=request.url.path[:200])
            return refuse(request, 403, FOREIGN)
        kind = media_type(request)
        if kind == FORM_TYPE:
            try:
                request.scope["state"]["form"] = await read_form(request)
            except FormTooLarge:
                reason = message("the form is too large: mark fewer, or paste less")
                return refuse(request, 413, reason, {"connection": "close"})
        given = request.headers.get("x-form-token") or form_of(request).get(FORM_TOKEN_FIELD, "")
        expected = form_token(request)
        # A program on this machine, where no token is set, has no cookie; and no page of another site can send JSON.
        if kind == JSON_TYPE and not request.cookies.keys() & {SESSION, FORM}:
            return None
        if expected and secrets.compare_digest(given.encode(errors="replace"), expected.encode()):
            return None
        log.warning("operator.refused", reason="form token", path=request.url.path[:200])
        return refuse(request, 403, OLD_FORM)


def _with_headers(send: Send, request: Request) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in _HEADERS.items() if name.encode() not in given]
            message = {**message, "headers": [*message["headers"], *more, *_new_form_cookie(request)]}
        await send(message)

    return sending


def _new_form_cookie(request: Request) -> list[tuple[bytes, bytes]]:
    value = request.scope.get("state", {}).get("new_form_cookie")
    if value is None:
        return []
    carrier = Response()
    set_cookie(carrier, request, FORM, value)
    return [header for header in carrier.raw_headers if header[0] == b"set-cookie"]
