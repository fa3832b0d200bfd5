"""Rival (a): an endpoint that reads the body, forgets it and answers 204, as anybody writes it."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def hook(request: Request) -> Response:
    await request.body()
    return Response(status_code=204)


app = Starlette(routes=[Route("/hooks/{source}/{token}", hook, methods=["POST"])])
