"""Which of an account's events somebody wants here."""

from collections.abc import Iterable

from relay.config.config import Config
from relay.model import Subscription


def needed_events(config: Config, source: str, subscriptions: Iterable[Subscription]) -> frozenset[str]:
    """Return the names of the events that a source's routes use, and that its active subscriptions want."""
    routed = {event for route in config.routes_of(source) for event in route.on}
    subscribed = {event for one in subscriptions if one.source == source and not one.disabled for event in one.events}
    return frozenset(routed | subscribed)
