"""Find free ports, and ask servers on this machine."""

import contextlib
import http.client
import random
import socket
from typing import Final

_FIRST, _LAST = 20_000, 32_000  # below the range from which systems take the ports of outgoing connections
_GET_SECONDS: Final = 2.0
_returned: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens on, and that was not returned in this process before."""
    while True:
        port = random.randrange(_FIRST, _LAST)
        if port not in _returned and is_free(port):
            _returned.add(port)
            return port


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a port can be listened on."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: one closed just now is free
        try:
            listener.bind((host, port))
        except OSError:
            return False
    return True


def http_get(port: int, path: str) -> tuple[int, str] | None:
    """Get a path from a server on this machine. Returns status and text, or None where there is no answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_GET_SECONDS)) as connection:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return None
