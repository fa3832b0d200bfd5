"""Read single keys of a terminal while something else goes on."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_ARROWS = ("\x1b[A", "\x1b[B")


def split_keys(text: str) -> list[str]:
    """Return the keys in what a terminal sent at once: an arrow is three characters."""
    keys: list[str] = []
    while text:
        key = text[:3] if text.startswith(_ARROWS) else text[0]
        keys.append(key)
        text = text[len(key) :]
    return keys


@contextmanager
def read_keys() -> Iterator["asyncio.Queue[str]"]:
    """Put every key that is pressed into a queue; the terminal is as before when it ends."""
    descriptor, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(descriptor)
    keys: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        sent = os.read(descriptor, 1024)
        for key in split_keys(sent.decode(errors="ignore")) if sent else ["q"]:  # the terminal is gone
            keys.put_nowait(key)

    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield keys
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
