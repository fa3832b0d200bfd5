"""Refuse a request to the operator's pages: programs are told in JSON, people on a page that strangers may see."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, Response

from relay.translation.messages import UiText, choose_language, translator

API_ROOT: Final = "/admin/api"
LANGUAGE_COOKIE, THEME_COOKIE = "relay_language", "relay_theme"
_NO_HEADERS: Final[Mapping[str, str]] = {}


def is_api(request: HTTPConnection) -> bool:
    """Return whether the JSON API was asked, and not a page."""
    return request.url.path == API_ROOT or request.url.path.startswith(f"{API_ROOT}/")


def language_of(request: HTTPConnection) -> str:
    """Return the language that was chosen, or that the browser asks for."""
    return choose_language(request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", ""))


def theme_of(request: HTTPConnection) -> str:
    """Return the theme that was chosen; empty: the system's."""
    theme = request.cookies.get(THEME_COOKIE, "")
    return theme if theme in ("light", "dark") else ""


def in_english(text: UiText) -> str:
    """Return a text for programs."""
    return translator("en").say(text)


def refuse(request: HTTPConnection, status: int, reason: UiText, headers: Mapping[str, str] = _NO_HEADERS) -> Response:
    """Return the response that says why, and what would be right."""
    if is_api(request):
        return JSONResponse({"error": in_english(reason)}, status, headers=dict(headers))
    page = render_for_stranger(request, "refusal.html", status=status, reason=reason)
    return HTMLResponse(page, status, headers=dict(headers))


def render_for_stranger(request: HTTPConnection, template: str, **values: object) -> str:
    """Render a page that tells nothing of the relay."""
    from relay.web.admin.rendering import environment  # loaded with the first page: most processes show none

    spoken = translator(language_of(request))
    frame = {"language": spoken.language, "theme": theme_of(request), "t": spoken.text, "say": spoken.say}
    return environment().get_template(template).render({**frame, **values})
