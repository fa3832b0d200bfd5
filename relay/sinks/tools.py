"""What a worker process provides to its sinks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from relay.config.proxy import ProxyChoice
from relay.secret import SecretStr

if TYPE_CHECKING:  # a command that reads the settings of sinks needs neither
    from relay.store.shared_state import SharedState
    from relay.transport import Asker, Session


@dataclass(frozen=True)
class Tools:
    """The HTTP session, the state that all workers share, and the clock (unix seconds). One for a whole process.

    `secret_key`: RELAY_SECRET_KEY, where it is set; what is secret in the shared state is encrypted with it.
    """

    session: "Session"
    shared: "SharedState"
    now: Callable[[], float]
    secret_key: SecretStr | None = None

    def of(self, asker: "Asker", proxy: ProxyChoice | None) -> "Tools":
        """Return the tools of one sink: on whose behalf it looks up names, and its proxy (None: the environment's)."""
        return replace(self, session=self.session.on_behalf_of(asker).through(proxy))
