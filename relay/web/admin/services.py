"""What all pages work on."""

from dataclasses import dataclass

from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.store.reader import Reader
from relay.store.store import Store
from relay.web.admin.pulse import Pulse
from relay.web.operator_access import OperatorAccess


@dataclass(frozen=True)
class Services:
    """The store, the configuration in force, and who may see it. `pulse` is shared by all who look."""

    settings: ProcessSettings
    live: LiveConfig
    reader: Reader
    store: Store
    access: OperatorAccess
    pulse: Pulse
