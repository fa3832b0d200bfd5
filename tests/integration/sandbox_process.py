"""The fakes of `relay.sandbox`, in a process of their own."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from relay.processes.ports import free_port, http_get

ROOT = Path(__file__).parents[2]


class Sandbox:
    """The fakes, by their address."""

    def __init__(self, port: int, smtp_port: int) -> None:
        self.port, self.smtp_port = port, smtp_port
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str):
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return msgspec.json.decode(answer.read() or b"null")

    def fault(self, **fault) -> None:
        self.call("POST", "/__sandbox__/faults", msgspec.json.encode(fault))

    def requests(self, vendor: str) -> list[dict]:
        return self.call("GET", f"/__sandbox__/requests?vendor={vendor}")["requests"]

    def stored(self, vendor: str, path: str) -> list[dict]:
        """Return the requests that the vendor applied."""
        return [one for one in self.requests(vendor) if one["stored"] and one["path"] == path]

    def clear(self) -> None:
        self.call("DELETE", "/__sandbox__/requests")
        self.call("DELETE", "/__sandbox__/faults")


@contextmanager
def open_sandbox(until) -> Iterator[Sandbox]:
    """Let the fakes serve; `until` waits until a condition holds."""
    port, smtp_port = free_port(), free_port()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-m", "relay.sandbox", str(port), str(smtp_port)], env=environ)
    try:
        until(lambda: http_get(port, "/__sandbox__/requests"))
        yield Sandbox(port, smtp_port)
    finally:
        process.terminate()
        process.wait(10)
