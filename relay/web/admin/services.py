"""What all pages work on."""

from dataclasses import dataclass

from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.store.reader import Reader
from relay.store.store import Store
from relay.web.admin.pulse import Pulse


@dataclass(frozen=True)
class Services:
    """The store and the configuration in force. `pulse` is shared by all who look."""

    settings: ProcessSettings
    live: LiveConfig
    reader: Reader
    store: Store
    pulse: Pulse
