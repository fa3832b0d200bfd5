"""Serve the description of the API (OpenAPI 3.1). A test makes requests from it, so that it stays true."""

from importlib.resources import files
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PATH = "/api/openapi.json"
DESCRIPTION: dict[str, Any] = yaml.safe_load((files("relay.web.subscriptions") / "openapi.yaml").read_text())


def _describe(_: Request) -> JSONResponse:
    return JSONResponse(DESCRIPTION)


ROUTE = Route(PATH, _describe)
