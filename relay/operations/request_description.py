"""Describe the request that a delivery sends, as its sink describes it: secrets masked. Pure."""

from collections.abc import Mapping

from relay.config.config import Config
from relay.masking import mask_secrets_in_json
from relay.model import DeliveryState, Json
from relay.sinks.base import Sink
from relay.sinks.registry import make_sinks
from relay.store.stored import StoredDelivery


def describe_request(config: Config, delivery: StoredDelivery, content: bytes) -> Json:
    """Describe the request that this configuration makes of a stored content; a text where there is none."""
    sinks = make_sinks(config)
    if delivery.sink not in sinks:
        return f"not shown: sink {delivery.sink} is not in the configuration"
    if not content:
        if delivery.state is DeliveryState.PUT_OFF:
            return "none yet: it is made when its sink has room"
        waits = delivery.state is DeliveryState.PENDING
        return "none yet: it is made after the look-up" if waits else f"none: {delivery.state} before one was made"
    return describe_by(sinks[delivery.sink], content)


def lacks_content(described: Json) -> bool:
    """Tell whether it was described that there is nothing to send."""
    return isinstance(described, str) and described.startswith("none")


def describe_by(sink: Sink, content: bytes) -> Json:
    """Describe the request that a sink makes of a content, with the proxy that its settings name."""
    described = mask_secrets_in_json(sink.describe(content), sink.hidden_anywhere)
    assert isinstance(described, Mapping)
    return described if sink.proxy is None else {**described, "proxy": str(sink.proxy or "none")}
