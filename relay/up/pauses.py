"""How long to wait before a process that has ended is started again. Pure."""

from typing import Final

PAUSES: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds; the last one is repeated
FORGIVEN_SECONDS: Final = 60.0


class RestartPauses:
    """The pauses of one process: none the first time, then growing ones, until it has lived for FORGIVEN_SECONDS."""

    def __init__(self) -> None:
        self._ends = 0

    def next(self, lived_seconds: float) -> float:
        """Return the seconds to wait, now that it has ended after so many."""
        if lived_seconds >= FORGIVEN_SECONDS:
            self._ends = 0
        pause = PAUSES[min(self._ends, len(PAUSES) - 1)]
        self._ends += 1
        return pause
