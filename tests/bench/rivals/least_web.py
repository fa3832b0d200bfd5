"""Rival (e), the web process: the least that keeps the promise. A hook is in a stream, on the disk, before its 202."""

import os

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

store = Redis.from_url(os.environ["REDIS_URL"])


async def hook(request: Request) -> Response:
    await store.xadd("hooks", {"body": await request.body()})
    return Response(status_code=202)


app = Starlette(routes=[Route("/hooks/{source}/{token}", hook, methods=["POST"])])
