"""A fake amoCRM account that listens, for clients of its API."""

import socket
import threading

import uvicorn

from relay.sandbox.amocrm.app import FakeAmocrm


class Served:
    """An account behind a port, in a thread of its own; tests use its `amocrm` directly."""

    def __init__(self) -> None:
        self.amocrm = FakeAmocrm()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self.amocrm.app(), log_level="warning", ws="none", lifespan="off", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def start(self) -> None:
        self._socket.listen(100)  # a connection waits until the server has started
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
