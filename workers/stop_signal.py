"""Notice the signal that asks the process to end, also while its main thread hangs in a system call.

Python runs signal handlers in the main thread only, between two of its steps. In a worker that is Celery's thread,
which may hang in the look-up of its broker's name, or in writing to a standard output that nobody reads.
"""

import signal
import socket
import threading
from collections.abc import Callable, Collection
from types import FrameType
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def call_on_stop_signal(stop: Callable[[], None], signals: Collection[int] = STOP_SIGNALS) -> None:
    """Call `stop` in a thread when one of the signals arrives. The handlers that are installed for them run too.

    Must be called in the main thread. One that would end the process as it is, before Celery has installed its handler,
    does not any more.
    """
    for number in signals:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave_to_thread)
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        with reading, writing:
            while numbers := reading.recv(64):
                if any(number in signals for number in numbers):
                    stop()

    threading.Thread(target=listen, name="stop signal", daemon=True).start()


def _leave_to_thread(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the thread hears of it. Without a handler there is nothing to hear."""
