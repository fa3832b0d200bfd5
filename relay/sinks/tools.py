"""What a sink works with besides its own settings. One for a whole worker process."""

from collections.abc import Callable
from dataclasses import dataclass

from relay.store.notes import Notes
from relay.transport import Session


@dataclass(frozen=True)
class Tools:
    """The session that all sinks share, their memory over all workers, and the clock (unix seconds)."""

    session: Session
    notes: Notes
    now: Callable[[], float]
