"""One address of the API: who asks, for what method, and every refusal in the format of its generation."""

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
Refuse: TypeAlias = Callable[[ApiError], Response]


class Endpoint:
    """An ASGI application for one path. What its handlers raise it answers with `refuse`."""

    def __init__(self, refuse: Refuse, handlers: Mapping[str, Handler]) -> None:
        self._refuse = refuse
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handler(request)(request)
        except ApiError as refused:
            return self._refuse(refused)
        except StoreUnavailable:
            away = ApiError(503, "the store cannot take it now: send it again", headers={"Retry-After": "5"})
            return self._refuse(away)

    def _handler(self, request: Request) -> Handler:
        handler = self._handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is not None:
            return handler
        if not self._handlers:
            raise ApiError(404, "there is no such address")
        allowed = ", ".join(sorted(self._handlers))
        raise ApiError(405, f"{request.method[:20]} is not possible here, only {allowed}", headers={"Allow": allowed})


def for_users(door: Authenticator, handler: UserHandler) -> Handler:
    """Let only API users reach a handler, and tell it which of them asks."""

    async def admitted(request: Request) -> Response:
        return await handler(request, await door.enter(request))

    return admitted


def generation(refuse: Refuse, handlers: Mapping[str, Mapping[str, Handler]], root: str) -> list[Route]:
    """Return the routes of one generation of the API, and one for all addresses below its root that there are not."""
    routes = [Route(path, Endpoint(refuse, methods)) for path, methods in handlers.items()]
    return [*routes, Route(f"{root}/{{rest:path}}", Endpoint(refuse, {}))]
