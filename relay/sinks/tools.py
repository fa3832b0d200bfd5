"""What a sink works with besides its own settings. One for a whole worker process."""

from collections.abc import Callable
from dataclasses import dataclass

from relay.store.shared_state import SharedState
from relay.transport import Session


@dataclass(frozen=True)
class Tools:
    """The session that all sinks share, their memory over all workers, and the clock (unix seconds)."""

    session: Session
    shared: SharedState
    now: Callable[[], float]
