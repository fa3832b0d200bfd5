"""What is known of the last catch-up of a source, for those who look: it is kept for a day."""

import msgspec

from relay.model import Record
from relay.store.shared_state import SharedState


class CaughtUp(Record):
    """A catch-up. Times are epoch milliseconds. Without `done` it goes on, or was interrupted."""

    since: int
    until: int
    done: bool = False
    recovered: int = 0  # changes that no hook had reported
    gone: int = 0  # those of them whose entities do not exist any more


def progress_key(source: str) -> str:
    """Return where the progress of a source's catch-up is kept."""
    return f"catch-up:{source}"


async def read_caught_up(shared: SharedState, source: str) -> CaughtUp | None:
    """Read it; None: there was none within a day. Raises StoreUnavailable."""
    stored = await shared.get(progress_key(source))
    return None if stored is None else msgspec.json.decode(stored, type=CaughtUp)
