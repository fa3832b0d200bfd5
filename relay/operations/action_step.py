"""What one step of a bulk action came to."""

from typing import Final

from relay.model import Record

ENDED: Final = "end"
"""The cursor of an action behind its last item."""

WAIT_MS: Final = 1000  # where its sinks have enough to send


class ActionStep(Record):
    """What a step came to."""

    items: int = 0  # touched
    ended: bool = False  # nothing is left to do
    stopped: bool = False  # somebody paused or ended it meanwhile
    waits: str = ""  # why nothing was done
    wait_ms: int = WAIT_MS  # until it is tried again, where it waits
