"""Rival (a), stripped: the same on Starlette's router alone, without middleware, request and response.

This is what the relay's own endpoint stands on, so what the relay itself costs is told against it.
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
