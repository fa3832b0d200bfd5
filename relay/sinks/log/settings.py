"""What the YAML of a `log` sink may say."""

from relay.config.sink import SinkSettings
from relay.retrying import OnUnknown


class LogSettings(SinkSettings):
    """`show: true` writes the content itself, personal data included; otherwise only its keys and their sizes."""

    show: bool = False

    @property
    def action_on_unknown(self) -> OnUnknown:
        """Repeat it: a second line does no harm."""
        return self.on_unknown or "retry"
