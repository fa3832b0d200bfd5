"""Run a whole relay in a folder, send it hooks, and read what arrived at the fakes."""

import http.client
import json
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from relay.config.environment import environ
from relay.processes.supervisor import Processes
from relay.store.connect import connect
from relay.store.reader import Reader

T = TypeVar("T")
TOKEN = "test-token"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "amoCRM-Webhooks/3.0"}


@contextmanager
def run_relay(folder: Path, config: str, **variables: str) -> Iterator[Processes]:
    """Run a relay with this configuration, with all its processes."""
    path = folder / "relay.yaml"
    path.write_text(config)
    ours = {"RELAY_CONFIG": str(path), "RELAY_LOG": "json", "PYTHONPATH": str(Path.cwd())}
    inherited = {name: value for name, value in environ().items() if name not in ("REDIS_URL", "PORT")}
    with Processes(folder / "relay", {**inherited, **ours, **variables}) as processes:
        processes.start()
        yield processes


def until(condition: Callable[[], T], seconds: float = 120.0, what: str = "the condition") -> T:
    """Poll until a condition is true; return its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.05)
    return value


def lead_hook(lead: int, event: str = "add", **fields: str) -> bytes:
    """Write a hook about a lead as amoCRM would; every field of it a string."""
    given = {"id": str(lead), "name": f"Сделка {lead}", "status_id": "142", "price": "1500", **fields}
    given |= {"last_modified": "1795440000", "account_id": "7039099"}
    pairs = [f"leads%5B{event}%5D%5B0%5D%5B{name}%5D={_quoted(value)}" for name, value in given.items()]
    return "&".join(["account%5Bsubdomain%5D=acme", "account%5Bid%5D=7039099", *pairs]).encode()


def _quoted(value: str) -> str:
    return urllib.request.quote(value, safe="").replace("%20", "+")


class HookSender:
    """Posts hooks as amoCRM does, over one connection, and repeats those that were not acknowledged."""

    def __init__(self, processes: Processes, source: str = "acme") -> None:
        self._port = processes.port
        self._path = f"/hooks/{source}/{TOKEN}"
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, path: str | None = None) -> tuple[int, dict[str, Any]]:
        """Post once. Raises OSError or HTTPException where there was no answer."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            self._connection.request("POST", path or self._path, body, FORM)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def post_until_taken(self, body: bytes, seconds: float = 120.0) -> dict[str, Any]:
        """Post until it is acknowledged."""

        def taken() -> dict[str, Any] | None:
            try:
                status, answer = self.post(body)
            except (OSError, http.client.HTTPException):
                return None
            return answer if status == 202 else None

        return until(taken, seconds, "a 202")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def sandbox_requests(processes: Processes, vendor: str | None = None) -> list[dict[str, Any]]:
    """Read the sandbox's log of all requests."""
    found: list[dict[str, Any]] = []
    since, more = 0, True
    while more:
        query = f"since={since}" + (f"&vendor={vendor}" if vendor else "")
        page = request_json(f"{processes.sandbox_url}/__sandbox__/requests?{query}")
        found += page["requests"]
        since, more = page["next"], page["more"]
    return found


def stored_leads(processes: Processes, vendor: str | None = None) -> Counter[int]:
    """Count how often each lead reached a fake, by the bodies of the requests."""
    pattern = re.compile(r'"lead":"(\d+)"')
    return Counter(
        int(found[1])
        for seen in sandbox_requests(processes, vendor)
        if (found := pattern.search(seen["body"])) is not None
    )


def request_json(
    url: str, body: Any = None, method: str | None = None, headers: Mapping[str, str] | None = None
) -> Any:
    """Send a request to a local server, and return its JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, dict(headers or {}), method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        content = answer.read()
    return json.loads(content) if content else None


def inject_fault(processes: Processes, **fault: Any) -> None:
    """Add a fault to the sandbox."""
    request_json(f"{processes.sandbox_url}/__sandbox__/faults", fault)


def pause_request(processes: Processes, at: str, **where: str) -> None:
    """Pause the next request to the sandbox at a point."""
    inject_fault(processes, fault="pause", at=at, **where)


def paused_requests(processes: Processes) -> list[tuple[str, str, str]]:
    """Return vendor, path and point of every paused request."""
    return [
        (one["vendor"], one["path"], one["at"]) for one in request_json(f"{processes.sandbox_url}/__sandbox__/paused")
    ]


def release_requests(processes: Processes) -> None:
    """Let the paused requests go on."""
    request_json(f"{processes.sandbox_url}/__sandbox__/release", method="POST")


@contextmanager
def open_reader(processes: Processes) -> Iterator[Reader]:
    """Read the store of a running relay."""
    yield Reader(connect(processes.environ["REDIS_URL"], answer_seconds=5))


def ids_of(records: Sequence[Any]) -> set[str]:
    return {record.id for record in records}
