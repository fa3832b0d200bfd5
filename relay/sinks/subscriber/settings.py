"""The settings that all subscribers share. They come from the subscription and the section `subscribers`."""

from relay.config.sink import SinkSettings
from relay.retrying import OnUnknown


class SubscriberSettings(SinkSettings):
    """The common keys of a sink, at their defaults: a subscriber has no part of its own in the file."""

    type: str = "subscriber"

    @property
    def breaker_limits(self) -> None:
        """Return none: too many failures disable a subscription."""

    @property
    def action_on_unknown(self) -> OnUnknown:
        """Repeat it, as amoCRM does."""
        return "retry"
