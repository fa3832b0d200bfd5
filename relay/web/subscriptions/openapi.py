"""Serve the description of the API (OpenAPI 3.1). A test makes requests from it, so that it stays true."""

import asyncio
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay.web.subscriptions.endpoint import Endpoint
from relay.web.subscriptions.problem_details import problem_details

PATH = "/api/openapi.json"


@cache
def description() -> dict[str, Any]:
    """Read the description. It takes longer than anything else that a web process does at its start."""
    read: dict[str, Any] = yaml.safe_load((files("relay.web.subscriptions") / "openapi.yaml").read_text())
    return read


async def _describe(_: Request) -> Response:
    return JSONResponse(await asyncio.to_thread(description))


ROUTE = Route(PATH, Endpoint(problem_details, {"GET": _describe}))
