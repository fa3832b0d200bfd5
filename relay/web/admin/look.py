"""Choose language and theme: kept in cookies of the browser."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from relay.translation.messages import LANGUAGES
from relay.web.admin.refusal import LANGUAGE_COOKIE, THEME_COOKIE
from relay.web.admin.serving import local_address

_YEAR_SECONDS: Final = 365 * 86_400
_CHOICES: Final = {
    "language": (LANGUAGE_COOKIE, tuple(LANGUAGES)),
    "theme": (THEME_COOKIE, ("light", "dark", "auto")),
}


async def choose_look(request: Request) -> Response:
    """Keep what was chosen, and go back to the page."""
    response = RedirectResponse(local_address(request.query_params.get("back", "")), 303)
    for name, (cookie, allowed) in _CHOICES.items():
        chosen = request.query_params.get(name)
        if chosen in allowed:
            response.set_cookie(
                cookie, chosen, max_age=_YEAR_SECONDS, path="/admin", httponly=True, samesite="lax",
                secure=request.url.scheme == "https",
            )  # fmt: skip
    return response
