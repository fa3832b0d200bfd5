"""The listening socket: how it is opened, and how it is closed without a connection left behind in it."""

import contextlib
import ctypes
import socket
import struct
import sys
from typing import Final

BACKLOG: Final = 2048
_SO_ATTACH_FILTER: Final = 26  # of Linux; Python has no name for it
# A classic BPF program over a TCP segment: drop what has SYN without ACK, let all else pass.
_DROP_NEW: Final = (
    (0x30, 0, 0, 13),  # load the byte of flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone: the next line, else the one after it
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    info = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listening = socket.socket(info[0], info[1])
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(info[4])
    listening.listen(BACKLOG)
    return listening


def let_nobody_in(listening: socket.socket) -> None:
    """Have the system leave new connections unanswered, for good, and for every process that has this socket.

    Between the last accept and the close the system would take another one, and reset it. The client whose SYN is left
    unanswered sends it again a second later, and finds the next process there, or nobody.
    """
    if sys.platform != "linux":
        return  # elsewhere the moment remains
    program = b"".join(struct.pack("HBBI", *line) for line in _DROP_NEW)
    kept = ctypes.create_string_buffer(program)
    pointer = struct.pack("HP", len(_DROP_NEW), ctypes.addressof(kept))
    with contextlib.suppress(OSError):  # a sandbox without it has that moment too
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
