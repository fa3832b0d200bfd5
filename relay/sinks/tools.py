"""What a worker process provides to its sinks."""

from collections.abc import Callable
from dataclasses import dataclass

from relay.store.shared_state import SharedState
from relay.transport import Session


@dataclass(frozen=True)
class Tools:
    """The HTTP session, the state that all workers share, and the clock (unix seconds). One for a whole process."""

    session: Session
    shared: SharedState
    now: Callable[[], float]
