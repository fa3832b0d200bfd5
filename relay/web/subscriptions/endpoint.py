"""One address of the API: the handler of each method, and every error in the format of its API version."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from relay.config.api_users import ApiUser
from relay.errors import StoreUnavailable
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.errors import ApiError

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
UserHandler: TypeAlias = Callable[[Request, ApiUser], Awaitable[Response]]
ErrorFormatter: TypeAlias = Callable[[ApiError], Response]


class Endpoint:
    """An ASGI application for one path. `handlers` by method; `format_error` makes the response to what they raise."""

    def __init__(self, format_error: ErrorFormatter, handlers: Mapping[str, Handler]) -> None:
        self._format_error = format_error
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._find_handler(request)(request)
        except ApiError as error:
            return self._format_error(error)
        except StoreUnavailable:
            detail = "the store cannot take it now: send it again"
            return self._format_error(ApiError(503, detail, headers={"Retry-After": "5"}))

    def _find_handler(self, request: Request) -> Handler:
        handler = self._handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is not None:
            return handler
        if not self._handlers:
            raise ApiError(404, f"there is no {request.url.path[:200]} here: GET /api/openapi.json lists the addresses")
        allowed = ", ".join(sorted(self._handlers))
        raise ApiError(405, f"{request.method[:20]} is not possible here, only {allowed}", headers={"Allow": allowed})


def user_routes(
    authenticator: Authenticator, format_error: ErrorFormatter, handlers: Mapping[str, Mapping[str, UserHandler]]
) -> list[Route]:
    """Return the routes of one API version: `handlers` by path and method, each called with the user who asks."""

    def authenticated(handler: UserHandler) -> Handler:
        async def answer(request: Request) -> Response:
            return await handler(request, await authenticator.authenticate(request))

        return answer

    endpoints = {
        path: Endpoint(format_error, {method: authenticated(handler) for method, handler in methods.items()})
        for path, methods in handlers.items()
    }
    return [Route(path, endpoint) for path, endpoint in endpoints.items()]


def unknown_address_routes(format_error: ErrorFormatter, root: str) -> list[Route]:
    """Return what answers 404 for a root and every address below it. Put it after the addresses that there are."""
    endpoint = Endpoint(format_error, {})
    return [Route(root, endpoint), Route(f"{root}/{{rest:path}}", endpoint)]
