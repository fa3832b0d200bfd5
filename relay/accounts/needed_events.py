"""The events that the relay needs from an account: for its routes and its subscribers."""

from collections.abc import Iterable

from relay.config.config import Config
from relay.model import Subscription


def needed_events(config: Config, source: str, subscriptions: Iterable[Subscription]) -> frozenset[str]:
    """Return the names of the events of a source's routes and active subscriptions."""
    routed = {event for route in config.routes_of(source) for event in route.on}
    subscribed = {event for sub in subscriptions if sub.source == source and not sub.disabled for event in sub.events}
    return frozenset(routed | subscribed)
