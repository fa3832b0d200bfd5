"""The web process itself, over a real store, with three API users; every test begins without subscriptions."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from relay.embedded.server import EmbeddedStore
from relay.processes.ports import free_port

NAMESPACE = "api"
CONFIG = """
sources:
  acme: {type: amocrm, token: acme-hook-token, account: {subdomain: acme, id: 7039099}, timezone: Europe/Moscow}
  branch: {type: amocrm, token: branch-hook-token}
api_users:
  - {login: crm@example.com, hash: crm-secret-hash, token: crm-secret-token, source: acme}
  - {login: shop@example.com, hash: shop-secret-hash, token: shop-secret-token, source: acme}
  - {login: branch@example.com, hash: branch-secret-hash, token: branch-secret-token, source: branch}
"""


@dataclass
class Api:
    """A client of the API: an address, and who asks."""

    url: str
    log: Path
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": "Bearer crm-secret-token"})

    def by(self, user: str) -> "Api":
        return Api(self.url, self.log, {"Authorization": f"Bearer {user}-secret-token"})

    def unknown(self) -> "Api":
        return Api(self.url, self.log, {})

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=10, **more)

    def records(self) -> list[dict[str, Any]]:
        """Return what is subscribed, by v4."""
        return self("GET", "/api/v4/webhooks").json()["_embedded"]["webhooks"]

    def settings(self) -> dict[str, list[str]]:
        """Return the events of each address."""
        return {record["destination"]: record["settings"] for record in self.records()}


@pytest.fixture(scope="session")
def web(server, tmp_path_factory) -> Iterator[Api]:
    """Start the web process as the Procfile does."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "relay.yaml").write_text(CONFIG)
    port = free_port()
    environ = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "RELAY_CONFIG": str(folder / "relay.yaml"),
        "REDIS_URL": server.url,
        "RELAY_NAMESPACE": NAMESPACE,
        "RELAY_LOG": "json",
    }
    command = [sys.executable, "-m", "relay.web.server", "--host", "127.0.0.1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--port", str(port)], env=environ, stdout=log, stderr=log)
        try:
            yield _ready(Api(f"http://127.0.0.1:{port}", folder / "log"), process)
        finally:
            process.terminate()
            process.wait(10)


def _ready(api: Api, process: subprocess.Popen[bytes]) -> Api:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            requests.get(f"{api.url}/healthz", timeout=60).raise_for_status()  # it listens before it is ready
            return api
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError(api.log.read_text())


@pytest.fixture
def forget(server: EmbeddedStore) -> Any:
    """Return a function that removes all subscriptions, sessions and counters of wrong attempts."""

    def forget() -> None:
        with redis.Redis.from_url(server.url) as client:
            if keys := client.keys(f"{{{NAMESPACE}}}:*"):
                client.delete(*keys)

    return forget


@pytest.fixture
def api(web: Api, forget: Any) -> Api:
    """Return the API as crm@example.com, with nothing subscribed."""
    forget()
    return web
