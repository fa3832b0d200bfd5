"""What a sink works with besides its own settings. One for a whole worker process."""

from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from relay.store.notes import Notes


@dataclass(frozen=True)
class Tools:
    """The session that all sinks share, their memory over all workers, and the clock (unix seconds)."""

    session: aiohttp.ClientSession
    notes: Notes
    now: Callable[[], float]
