"""The address of the MCP endpoint. Its SDK is an extra, loaded with the first request: it takes a second and 30 MB."""

import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.web.admin.refusal import API_ROOT
from relay.web.admin.services import Services

PATH: Final = f"{API_ROOT}/mcp"
NOT_INSTALLED: Final = (
    "the MCP endpoint is an extra that is not installed here: pip install 'mcp>=2.3', then restart web"
)


def routes(services: Services) -> list[Route]:
    """Return the route of the endpoint."""
    return [Route(PATH, _Loaded(services))]


class _Loaded:
    """The endpoint, loaded when it is first asked."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._app: ASGIApp | None = None
        self._loading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if find_spec("mcp") is None:
            await JSONResponse({"error": NOT_INSTALLED}, 501)(scope, receive, send)
            return
        await (self._app or await self._load())(scope, receive, send)

    async def _load(self) -> ASGIApp:
        async with self._loading:
            if self._app is None:
                # In a thread: hooks are taken meanwhile.
                endpoint = await asyncio.to_thread(import_module, "relay.web.admin.mcp.endpoint")
                self._app = endpoint.McpEndpoint(self._services)
        return self._app
