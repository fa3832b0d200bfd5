"""Format a described request. Pure."""

from collections.abc import Iterator

import msgspec

from relay.model import Json


def format_request(request: Json) -> Iterator[str]:
    """Format a described request in indented lines."""
    if isinstance(request, str):
        yield f"  {request}"
        return
    for line in msgspec.json.format(msgspec.json.encode(request)).decode().splitlines():
        yield f"  {line}"
