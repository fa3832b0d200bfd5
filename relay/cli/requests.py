"""Show what a delivery sends: by its sink's own words, secrets masked (pure)."""

from collections.abc import Iterator

import msgspec

from relay.config.load import Config
from relay.live_config import make_sinks
from relay.model import Json


def described(config: Config, sink: str, content: bytes) -> Json:
    """Describe a stored content as today's configuration would send it."""
    sinks = make_sinks(config)
    if sink not in sinks:
        return f"not shown: sink {sink} is not in the configuration"
    if not content:
        return "nothing: it waits for a look-up, or could not be rendered"
    return sinks[sink].describe(content)


def lines_of(request: Json) -> Iterator[str]:
    """Write a described request in indented lines."""
    if isinstance(request, str):
        yield f"  {request}"
        return
    for line in msgspec.json.format(msgspec.json.encode(request)).decode().splitlines():
        yield f"  {line}"
