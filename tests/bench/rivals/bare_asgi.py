"""Rival (a), stripped: the same on Starlette's router alone, without middleware, request and response.

The relay's own endpoint is built on the same, so the difference is the cost of the relay itself.
"""

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send


class Hook:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body", False):
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


app = Router(routes=[Route("/hooks/{source}/{token}", Hook())])
