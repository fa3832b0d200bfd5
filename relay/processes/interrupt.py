"""End in order when a person or the system asks for it."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Run a block until Ctrl-C, SIGTERM or SIGHUP (a terminal that is closed) leaves it, and go on after it.

    All three raise KeyboardInterrupt in the block, so its `with` statements end what it has started.
    """

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a shell's & starts us with it ignored
        signal.signal(name, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("ended\n")
