"""Style sheet and scripts, under addresses that change with their content: browsers keep them for a year."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@cache
def load_assets() -> dict[str, tuple[str, bytes]]:
    """Return the digest and the content of each file."""
    found = {}
    for file in (files("relay.web.admin") / "static").iterdir():
        if file.name.rpartition(".")[2] in _TYPES:
            content = file.read_bytes()
            found[file.name] = hashlib.sha256(content).hexdigest()[:12], content
    return found


def asset_url(name: str) -> str:
    """Return the address of a file."""
    return f"/admin/static/{load_assets()[name][0]}/{name}"


async def send_asset(request: Request) -> Response:
    """Send a file; one of another version is not found, and never kept under a wrong address."""
    digest, content = load_assets().get(request.path_params["name"], ("", b""))
    if not content or digest != request.path_params["digest"]:
        return PlainTextResponse("no such file", 404)
    media_type = _TYPES[request.path_params["name"].rpartition(".")[2]]
    return Response(content, media_type=media_type, headers={"cache-control": "public, max-age=31536000, immutable"})
