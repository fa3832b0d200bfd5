"""A stand-in for `relay web` behind a proxy: the same server, which records what arrives, and from whom."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import uvicorn

from relay.processes.ports import free_port
from relay.web.server import KEEP_ALIVE_SECONDS
from tests.e2e.harness import until


class RecordedRequest(NamedTuple):
    """A request as an application sees it."""

    path: str
    client: str
    scheme: str
    headers: dict[str, str]


class RecordingWeb:
    """Answers 202 to everything on `port`; `requests` has those that were received whole."""

    def __init__(self) -> None:
        self.port = free_port()
        self.requests: list[RecordedRequest] = []
        self.server = uvicorn.Server(
            uvicorn.Config(
                self,
                port=self.port,
                http="httptools",
                loop="uvloop",
                lifespan="off",
                log_config=None,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )

    def open_connections(self) -> int:
        """Count the connections to it that are open now."""
        return len(self.server.server_state.connections)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append(RecordedRequest(scope["path"], scope["client"][0], scope["scheme"], headers))
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@contextmanager
def recording_web() -> Iterator[RecordingWeb]:
    """Serve it as `relay web` does: uvicorn trusts the forwarding headers of who connects from this machine."""
    web = RecordingWeb()
    thread = threading.Thread(target=lambda: asyncio.run(web.server.serve()))
    thread.start()
    try:
        until(lambda: web.server.started or not thread.is_alive(), seconds=30, what="the web to listen")
        yield web
    finally:
        web.server.should_exit = True
        thread.join()
