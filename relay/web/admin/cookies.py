"""The cookies of the pages: no script reads them, no other site makes a browser send them."""

from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from relay.web.admin.sessions import SESSION_SECONDS

SESSION: Final = "relay_session"
FORM: Final = "relay_form"  # what the forms of somebody without a session are bound to
_PATH: Final = "/admin"


def set_cookie(response: Response, request: HTTPConnection, name: str, value: str) -> None:
    """Give the browser a cookie. It is Secure where the browser speaks TLS, also to a proxy that is trusted."""
    response.set_cookie(
        name,
        value,
        max_age=SESSION_SECONDS if name == SESSION else None,  # None: until the browser is closed
        path=_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def remove_cookie(response: Response, request: HTTPConnection, name: str) -> None:
    """Take a cookie away from the browser."""
    response.delete_cookie(name, path=_PATH, secure=request.url.scheme == "https", httponly=True, samesite="strict")
