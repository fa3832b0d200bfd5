"""What a worker process provides to its sinks."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from relay.config.proxy import ProxyChoice
from relay.store.shared_state import SharedState
from relay.transport import Session


@dataclass(frozen=True)
class Tools:
    """The HTTP session, the state that all workers share, and the clock (unix seconds). One for a whole process."""

    session: Session
    shared: SharedState
    now: Callable[[], float]

    def through(self, proxy: ProxyChoice | None) -> "Tools":
        """Return the tools for a sink that is called through a proxy; None: as the environment says."""
        return self if proxy is None else replace(self, session=self.session.through(proxy))
