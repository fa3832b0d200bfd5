"""Serve the web application: `python -m relay.web.server --host HOST --port PORT [--workers N]`, or `--fd FD`.

uvicorn does the serving. What is added: bounds for strangers (`relay.web.connections`), and an orderly end, so that
nobody who was let in is left without an answer. uvicorn's own parent of several processes keeps the listening socket
open until the last of them has ended, so the system goes on accepting connections that nobody will read; and each of
its servers cuts the connections that were accepted just now.
"""

import argparse
import asyncio
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.resources import files
from types import FrameType
from typing import Final

import uvicorn

from relay.config.environment import ProcessSettings, environ
from relay.errors import RelayError
from relay.spare_libraries import OF_REDIS, hidden
from relay.startup import collect_garbage_seldom, report_ready
from relay.web.connections import Connections
from relay.web.listening import BACKLOG, let_nobody_in, listen

GRACE_SECONDS: Final = 15  # in which a process answers the requests that it has read
# Longer than proxies keep their idle connections (Heroku's router 90 s, nginx 60 s): one that is closed by us just as a
# proxy sends a hook into it is a 502 to amoCRM.
KEEP_ALIVE_SECONDS: Final = 100
FIRST_REQUEST_SECONDS: Final = 1.0  # at the end, for the request of a connection that was accepted just now
_POLL_SECONDS: Final = 0.02
_RESTART_SECONDS: Final = 1.0
_TICKS_A_SECOND: Final = 10  # of uvicorn


class OrderlyServer(uvicorn.Server):
    """A uvicorn server that answers, at its end, whatever the system has accepted for it.

    `parent`: the read end of a pipe; the server ends in order when the other end is closed. `lent`: the listening
    socket belongs to another process, and outlives this one.
    """

    def __init__(
        self, config: uvicorn.Config, connections: Connections, *, parent: int | None = None, lent: bool = False
    ) -> None:
        super().__init__(config)
        self._connections = connections
        self._parent = parent
        self._lent = lent
        self._ending = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, and watch the parent."""
        await super().startup(sockets)
        self.lifespan.state["ending"] = self._ending  # each request has it, for answers that would go on for hours
        report_ready(ProcessSettings.from_environ(environ()).ready_fd)
        if self._parent is not None:
            asyncio.get_running_loop().add_reader(self._parent, self._parent_ended)

    async def on_tick(self, counter: int) -> bool:
        """Close overdue connections once a second; uvicorn's own work is done ten times a second."""
        if counter % _TICKS_A_SECOND == 0:
            self._connections.close_overdue(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def _parent_ended(self) -> None:
        assert self._parent is not None
        asyncio.get_running_loop().remove_reader(self._parent)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, let every open connection send the request that is on its way, then end as uvicorn does."""
        self._ending.set()
        # Each response says that it is the last of its connection.
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        await self._accept_last(sockets or [])
        deadline = time.monotonic() + FIRST_REQUEST_SECONDS
        while self.server_state.connections and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)  # uvicorn has no event for it
        await super().shutdown([])

    async def _accept_last(self, sockets: Sequence[socket.socket]) -> None:
        """Close the listening sockets, but first take what the system has accepted: it would be reset."""
        last = [listening.dup() for listening in sockets]
        for server in self.servers:
            server.close()
        accepted: list[socket.socket] = []
        for listening in last:
            if not self._lent:
                let_nobody_in(listening)
            listening.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    accepted.append(listening.accept()[0])
            listening.close()
        loop = asyncio.get_running_loop()
        for connection in accepted:
            await loop.connect_accepted_socket(self._make_protocol, connection)

    def _make_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def serve(listening: socket.socket, *, parent: int | None = None, lent: bool = False) -> None:
    """Serve the application on a listening socket until a signal, or the end of the parent."""
    _import_application()
    connections = Connections()
    config = uvicorn.Config(
        "relay.web.app:create",
        factory=True,
        loop="uvloop",
        http=connections.make_protocol,  # type: ignore[arg-type]  # uvicorn only calls it
        ws="none",
        lifespan="on",
        access_log=False,
        forwarded_allow_ips=list(ProcessSettings.from_environ(environ()).trusted_proxies),
        # The file says only {"version": 1}: uvicorn's own lines go through our format.
        log_config=str(files("relay.web") / "logging.json"),
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    OrderlyServer(config, connections, parent=parent, lent=lent).run([listening])


def wait_in_standby(pipe: int) -> bool:
    """Import what serving needs, and wait until something is written to a pipe; False where it is closed instead.

    Meanwhile the configuration is read once: with it go the types of its sinks, and much that is compiled at first use.
    """
    _import_application()
    if not select.select([pipe], [], [], 0)[0]:
        with contextlib.suppress(RelayError):  # what serves reads it again, and says what is wrong with it
            import_module("relay.live_config").LiveConfig(ProcessSettings.from_environ(environ()))
    asked = os.read(pipe, 1)
    os.close(pipe)
    return bool(asked)


def _import_application() -> None:
    collect_garbage_seldom()
    with hidden(OF_REDIS):
        import_module("relay.web.app")


class WebProcesses:
    """Several processes that accept from one listening socket. One that ends by itself is started again."""

    def __init__(self, listening: socket.socket, count: int, *, lent: bool) -> None:
        self._listening = listening
        self._count = count
        self._lent = lent
        self._children: list[subprocess.Popen[bytes]] = []
        self._stopping = False
        self._restart_at = 0.0  # monotonic seconds: one that ends at once is not started again and again
        # The children read its end as ours: it stays open while we live.
        self._parent_end, self._own_end = os.pipe()

    def run(self) -> int:
        """Run the processes until SIGTERM or SIGINT; return the exit status."""
        woken, waking = socket.socketpair()
        for end in (woken, waking):
            end.setblocking(False)
        signal.set_wakeup_fd(waking.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._stop if number != signal.SIGCHLD else lambda *_: None)
        self._children = [self._start() for _ in range(self._count)]
        while not self._stopping:
            select.select([woken], [], [], _RESTART_SECONDS)
            with contextlib.suppress(BlockingIOError):
                woken.recv(4096)
            self._restart_ended()
        ends = [child.wait() for child in self._children]
        return 0 if set(ends) <= {0, -signal.SIGTERM} else 1  # uvicorn ends by the signal that it was sent

    def _restart_ended(self) -> None:
        for at, child in enumerate(self._children):
            if not self._stopping and child.poll() is not None and time.monotonic() >= self._restart_at:
                sys.stderr.write(f"web process {child.pid} ended with status {child.returncode}: starting another\n")
                self._children[at] = self._start()
                self._restart_at = time.monotonic() + _RESTART_SECONDS

    def _start(self) -> subprocess.Popen[bytes]:
        listening = self._listening.fileno()
        command = [sys.executable, "-m", "relay.web.server", "--fd", str(listening), "--parent", str(self._parent_end)]
        return subprocess.Popen(command, pass_fds=(listening, self._parent_end), start_new_session=True)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if self._stopping:
            return
        self._stopping = True
        if not self._lent:
            let_nobody_in(self._listening)
        self._listening.close()  # first: only those who can answer accept
        for child in self._children:
            child.terminate()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve as the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m relay.web.server")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes that accept from one socket")
    parser.add_argument("--fd", type=int, help="a listening socket that is open already")
    parser.add_argument("--parent", type=int, help="a pipe: the process ends when its other end is closed")
    parser.add_argument("--standby", type=int, help="a pipe: the process serves once something is written to it")
    asked = parser.parse_args(arguments)
    try:
        listening = socket.socket(fileno=asked.fd) if asked.fd is not None else listen(asked.host, asked.port)
    except OSError as error:
        where = f"file descriptor {asked.fd}" if asked.fd is not None else f"{asked.host}:{asked.port}"
        sys.stderr.write(f"cannot listen on {where}: {error.strerror or error}\n")
        return 1
    if asked.standby is not None and not wait_in_standby(asked.standby):
        return 0
    if asked.workers > 1:
        return WebProcesses(listening, asked.workers, lent=asked.fd is not None).run()
    serve(listening, parent=asked.parent, lent=asked.fd is not None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
