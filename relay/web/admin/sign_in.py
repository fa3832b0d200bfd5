"""Sign in with a token, by a form, and sign out. A stranger learns nothing there, not even how the relay does."""

import re
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from relay.logs import log
from relay.translation.messages import UiText, message
from relay.web.admin.cookies import FORM, SESSION, remove_cookie, set_cookie
from relay.web.admin.refusal import render_for_stranger
from relay.web.admin.rights import MAX_NAME, OPERATOR, form_of, form_token, operator_of
from relay.web.admin.sessions import Sessions
from relay.web.admin.token_guesses import TokenGuesses, TooManyGuesses
from relay.web.operator_access import OperatorTokens

SIGN_IN_PATH: Final = "/admin/sign-in"
SIGN_OUT_PATH: Final = "/admin/sign-out"
WRONG: Final = message("this is no token of this relay")
_HOME: Final = "/admin"
_OWN_ADDRESS: Final = re.compile(r"/admin(?:[/?][^\x00-\x20\\\x7f]*)?")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def sign_in_address(request: Request) -> str:
    """Return the address of the form, which leads back to what was asked for."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return SIGN_IN_PATH if wanted == _HOME else f"{SIGN_IN_PATH}?{urlencode({'next': wanted})}"


class SignIn:
    """The sign-in page, its form, and signing out."""

    def __init__(self, tokens: OperatorTokens, sessions: Sessions, guesses: TokenGuesses) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._guesses = guesses

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route(SIGN_IN_PATH, self._show, methods=["GET"]),
            Route(SIGN_IN_PATH, self._sign_in, methods=["POST"]),
            Route(SIGN_OUT_PATH, self._sign_out, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        if operator_of(request) is not None:
            return RedirectResponse(_next(request.query_params.get("next", "")), 303)
        return _page(request, _next(request.query_params.get("next", "")))

    async def _sign_in(self, request: Request) -> Response:
        form = form_of(request)
        wanted, name = _next(form.get("next", "")), _plain_name(form.get("name", ""))
        right = self._tokens.right_of(form.get("token", "").strip())
        try:
            await self._guesses.note_form(request, correct=right is not None)
        except TooManyGuesses as error:
            return _page(request, wanted, name, error.reason, 429, {"retry-after": str(error.seconds)})
        if right is None:
            return _page(request, wanted, name, WRONG, 403)
        by = name or OPERATOR
        response = RedirectResponse(wanted, 303)
        set_cookie(response, request, SESSION, await self._sessions.open(by, right))
        remove_cookie(response, request, FORM)
        log.info("operator.signed_in", by=by, right=right)
        return response

    async def _sign_out(self, request: Request) -> Response:
        await self._sessions.end(request.cookies.get(SESSION, ""))
        response = RedirectResponse(SIGN_IN_PATH, 303)
        remove_cookie(response, request, SESSION)
        return response


def _page(
    request: Request, wanted: str, name: str = "", problem: UiText | None = None, status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    page = render_for_stranger(
        request, "sign_in.html", action=SIGN_IN_PATH, form_token=form_token(request), next=wanted, name=name,
        max_name=MAX_NAME, problem=problem,
    )  # fmt: skip
    return HTMLResponse(page, status, headers=headers)


def _next(address: str) -> str:
    """Return where to go after signing in: an address of these pages, and no other site's."""
    return address if _OWN_ADDRESS.fullmatch(address) else _HOME


def _plain_name(text: str) -> str:
    return _UNPRINTABLE.sub("", text).strip()[:MAX_NAME]
