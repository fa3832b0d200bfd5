"""Describe the request that a delivery sends, as its sink describes it: secrets masked. Pure."""

from relay.config.config import Config
from relay.live_config import make_sinks
from relay.model import Json


def describe_request(config: Config, sink: str, content: bytes) -> Json:
    """Describe the request that this configuration makes of a stored content; a text where there is none."""
    sinks = make_sinks(config)
    if sink not in sinks:
        return f"not shown: sink {sink} is not in the configuration"
    if not content:
        return "none: the delivery waits for a look-up, or its content could not be rendered"
    return sinks[sink].describe(content)
