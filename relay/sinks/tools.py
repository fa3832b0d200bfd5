"""What a worker process provides to its sinks."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import SecretStr

from relay.config.proxy import ProxyChoice
from relay.store.shared_state import SharedState
from relay.transport import Session


@dataclass(frozen=True)
class Tools:
    """The HTTP session, the state that all workers share, and the clock (unix seconds). One for a whole process.

    `secret_key`: RELAY_SECRET_KEY, where it is set; what is secret in the shared state is encrypted with it.
    """

    session: Session
    shared: SharedState
    now: Callable[[], float]
    secret_key: SecretStr | None = None

    def through(self, proxy: ProxyChoice | None) -> "Tools":
        """Return the tools for a sink that is called through a proxy; None: as the environment says."""
        return self if proxy is None else replace(self, session=self.session.through(proxy))
