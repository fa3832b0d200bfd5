"""Refuse a request to the operator's pages: programs are told in JSON, people on a page that strangers may see."""

from collections.abc import Mapping
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, Response

API_ROOT: Final = "/admin/api"
_NO_HEADERS: Final[Mapping[str, str]] = {}
_TEMPLATES: Final = Environment(
    loader=PackageLoader("relay.web.admin"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def render(template: str, **values: object) -> str:
    """Return a page that a stranger may see."""
    return _TEMPLATES.get_template(template).render(**values)


def is_api(request: HTTPConnection) -> bool:
    """Return whether the JSON API was asked, and not a page."""
    return request.url.path == API_ROOT or request.url.path.startswith(f"{API_ROOT}/")


def refuse(request: HTTPConnection, status: int, reason: str, headers: Mapping[str, str] = _NO_HEADERS) -> Response:
    """Return the response that says why, and what would be right."""
    if is_api(request):
        return JSONResponse({"error": reason}, status, headers=dict(headers))
    return HTMLResponse(render("refusal.html", status=status, reason=reason), status, headers=dict(headers))
