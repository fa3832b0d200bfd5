"""The socket on which hooks arrive: held by `relay up`, so that they wait in it while a web process is replaced."""

import os
import socket
from collections.abc import Mapping
from typing import Final

from relay.errors import RelayError
from relay.web.listening import listen

_FIRST_OF_SYSTEMD: Final = 3  # sd_listen_fds(3)
SYSTEMD_VARIABLES: Final = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


def open_listener(host: str, port: int, environ: Mapping[str, str]) -> socket.socket:
    """Return systemd's socket where it has opened one for this process, else listen on a port. Raises RelayError."""
    if environ.get("LISTEN_PID") == str(os.getpid()):
        if environ.get("LISTEN_FDS") != "1":
            raise RelayError("systemd gives several sockets: write one ListenStream= into the unit, not more")
        return inherited_listener(_FIRST_OF_SYSTEMD)
    try:
        return listen(host, port)
    except OSError as error:
        message = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise RelayError(f"{message}: end what listens there, or set PORT or RELAY_HOST to another address") from error


def inherited_listener(fd: int) -> socket.socket:
    """Return a listening socket that was opened by somebody else."""
    listening = socket.socket(fileno=fd)
    listening.set_inheritable(False)
    return listening
