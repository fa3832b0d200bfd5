"""The web application itself, in this process, over a real store; a client is a browser or program somewhere."""

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from relay.web import app

ADMIN, READ = "an-admin-token-of-this-test", "a-read-token-of-this-test"
STRANGER, HERE = "203.0.113.5", "127.0.0.1"
CONFIG = """
sources:
  acme: {type: amocrm, token: acme-hook-token, account: {subdomain: acme}}
sinks:
  books: {type: log}
routes: []
"""
Open = Callable[..., "Client"]


class Client:
    """A browser that keeps cookies and follows no redirects, or a program, at an address."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], application: Any, peer: str, url: str) -> None:
        self._run = run
        self.application = application
        transport = httpx.ASGITransport(application, client=(peer, 50000))
        self.browser = httpx.AsyncClient(transport=transport, base_url=url, timeout=60)

    @property
    def cookies(self) -> httpx.Cookies:
        return self.browser.cookies

    @property
    def headers(self) -> httpx.Headers:
        return self.browser.headers

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._run(self.browser.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@pytest.fixture
def open_pages(server, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run) -> Iterator[Open]:
    """Return what starts the application with these variables, and a client of it at an address."""
    monkeypatch.setattr(app, "freeze_startup_objects", lambda: None)  # those of this process are tests
    monkeypatch.setattr(app, "configure", lambda style: None)  # and so are its loggers: they are cached for good
    started = []

    def start(
        *, peer: str = STRANGER, url: str = "http://relay.example.com", proxies: str = "", config: str = CONFIG,
        **variables: str,
    ) -> Client:  # fmt: skip
        (tmp_path / "relay.yaml").write_text(config)
        monkeypatch.chdir(tmp_path)
        given = {"RELAY_CONFIG": "relay.yaml", "REDIS_URL": server.url, "RELAY_NAMESPACE": namespace, **variables}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        application = app.create()
        lifespan = application.lifespan_context(application)
        run(lifespan.__aenter__())
        started.append(lifespan)
        return Client(run, ProxyHeadersMiddleware(application, proxies), peer, url)

    yield start
    for lifespan in started:
        run(lifespan.__aexit__(None, None, None))


@pytest.fixture
def pages(open_pages: Open) -> Client:
    """Return a browser elsewhere, of a relay with both tokens."""
    return open_pages(RELAY_ADMIN_TOKEN=ADMIN, RELAY_ADMIN_READ_TOKEN=READ)
