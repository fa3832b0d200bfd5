"""Read a path with as many slashes as clients write: `//api/v4/webhooks`, `/private/api/v2/json/accounts/current/`.

Client libraries join an address of the account that ends with a slash and a path that begins with one.
"""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile("/+")


class PathSlashes:
    """Middleware: repeated slashes are one, and one at the end is none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under its plain path."""
        if scope["type"] == "http":
            scope = {**scope, "path": _plain_path(scope["path"])}
        await self._app(scope, receive, send)


def _plain_path(path: str) -> str:
    return _SLASHES.sub("/", path).rstrip("/") or "/"
