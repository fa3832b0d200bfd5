"""What a process does once it is composed."""

import contextlib
import gc
import os


def freeze_startup_objects() -> None:
    """Exclude the objects that exist after startup from garbage collection: they stay until the process ends.

    Traversing them again and again delayed hooks by 50 ms at a time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def collect_garbage_seldom() -> None:
    """Let imports pass without garbage collection: what they make stays, and traversing it is a tenth of the time."""
    gc.set_threshold(50_000)


def report_ready(fd: int | None) -> None:
    """Write to the pipe by which `relay up` waits for its processes; without one there is nobody to write to."""
    if fd is not None:
        with contextlib.suppress(OSError):  # nobody waits any more
            os.write(fd, b"1")
            os.close(fd)
