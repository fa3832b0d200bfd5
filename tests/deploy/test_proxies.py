"""The files for nginx and Caddy, run for real before a web that records what they pass on."""

import http.client
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from relay.processes.ports import free_port, is_free
from tests.deploy.programs import DEPLOY, program, run
from tests.deploy.recording_web import RecordingWeb, recording_web
from tests.e2e.harness import until
from tests.e2e.tls_front import self_signed

TOKEN = "a-secret-token"
HOOK = f"/hooks/acme/{TOKEN}"
STRANGER = "127.0.0.2"  # of this machine too, but not the address that counts as it
SPOOFED = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"}


class Proxy(NamedTuple):
    """A proxy that runs: how it is reached, and all that it has logged."""

    connect: Callable[[], http.client.HTTPConnection]
    logged: Callable[[], str]
    scheme: str


@pytest.fixture
def web() -> Iterator[RecordingWeb]:
    with recording_web() as web:
        yield web


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, tmp_path: Path, web: RecordingWeb) -> Iterator[Proxy]:
    with {"nginx": nginx, "caddy": caddy}[request.param](tmp_path, web.port) as proxy:
        yield proxy


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Proxy]:
    """Run deploy/nginx/relay.conf with ports, certificate and logs of its own."""
    port, plain = free_port(), free_port()
    certificate, key = self_signed(folder)
    text = (DEPLOY / "nginx" / "relay.conf").read_text()
    for said, here in {
        "127.0.0.1:8000;": f"127.0.0.1:{upstream};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "listen [::]:443 ssl;": "",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen [::]:80;": "",
        "/etc/letsencrypt/live/relay.example.com/fullchain.pem": str(certificate),
        "/etc/letsencrypt/live/relay.example.com/privkey.pem": str(key),
        "/var/log/nginx/": f"{folder}/",
    }.items():
        assert said in text
        text = text.replace(said, here)
    (folder / "relay.conf").write_text(text)
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root; " if os.geteuid() == 0 else ""  # who else may not say it
    alone = f"{user}pid {folder}/pid; daemon off; master_process off; events {{}}"
    (folder / "nginx.conf").write_text(f"{alone} http {{ {temporary} include relay.conf; }}")
    command = [program("nginx"), "-e", f"{folder}/start.log", "-c", f"{folder}/nginx.conf"]
    checked = run([*command, "-t"])
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    trusted = ssl.create_default_context(cafile=str(certificate))
    trusted.check_hostname = False

    def connect() -> http.client.HTTPConnection:
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=5, source_address=(STRANGER, 0), context=trusted)

    def logged() -> str:
        return "".join(log.read_text() for log in folder.glob("*.log"))

    with served(command, port, folder / "output.log"):
        yield Proxy(connect, logged, "https")


@contextmanager
def caddy(folder: Path, upstream: int) -> Iterator[Proxy]:
    """Run deploy/caddy/Caddyfile without TLS: its certificates come from outside."""
    port = free_port()
    env = {
        "RELAY_DOMAIN": f"http://127.0.0.1:{port}",
        "RELAY_UPSTREAM": f"127.0.0.1:{upstream}",
        "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    command = [program("env"), *(f"{name}={value}" for name, value in env.items()), program("caddy")]
    file = ["--config", str(DEPLOY / "caddy" / "Caddyfile"), "--adapter", "caddyfile"]
    checked = run([*command, "validate", *file])
    assert checked.returncode == 0, checked.stderr
    assert run([*command, "fmt", "--diff", file[1]]).returncode == 0, "caddy fmt --overwrite it"

    def connect() -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=5, source_address=(STRANGER, 0))

    with served([*command, "run", *file], port, folder / "output.log"):
        yield Proxy(connect, (folder / "output.log").read_text, "http")


@contextmanager
def served(command: list[str], port: int, output: Path) -> Iterator[None]:
    with output.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            until(lambda: not is_free(port) or process.poll() is not None, seconds=10, what=f"{command[0]} to listen")
            assert process.poll() is None, output.read_text()
            yield
        finally:
            process.terminate()


def ask(proxy: Proxy, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> int:
    connection = proxy.connect()
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_a_stranger_is_seen_as_who_he_is_whatever_he_says(proxy: Proxy, web: RecordingWeb) -> None:
    assert ask(proxy, "POST", HOOK, b"leads", SPOOFED) == 202
    (seen,) = web.requests
    assert (seen.path, seen.client, seen.scheme) == (HOOK, STRANGER, proxy.scheme)
    assert (seen.headers["x-forwarded-for"], seen.headers["x-forwarded-proto"]) == (STRANGER, proxy.scheme)
    assert "forwarded" not in seen.headers


@pytest.mark.parametrize("path", [HOOK, "/api/v4/webhooks", "/api/openapi.json", "/private/api/v2/json/webhooks/list"])
def test_what_the_world_may_ask_is_passed_on(proxy: Proxy, web: RecordingWeb, path: str) -> None:
    assert ask(proxy, "POST", path) == 202
    assert [seen.path for seen in web.requests] == [path]


@pytest.mark.parametrize("path", ["/metrics", "/autoscale", "/readyz", "/healthz", "/"])
def test_what_is_asked_from_inside_is_not(proxy: Proxy, web: RecordingWeb, path: str) -> None:
    assert ask(proxy, "GET", path) == 404
    assert web.requests == []


def test_a_body_of_one_mebibyte_passes_and_a_larger_one_does_not(proxy: Proxy, web: RecordingWeb) -> None:
    assert ask(proxy, "POST", HOOK, b"x" * 2**20) == 202
    assert ask(proxy, "POST", HOOK, b"x" * (2**20 + 1)) == 413
    assert len(web.requests) == 1


def test_no_log_has_a_token_or_a_query_in_it(proxy: Proxy, web: RecordingWeb) -> None:
    key = f"/private/api/v2/json/webhooks/list?USER_HASH={TOKEN}"
    assert [ask(proxy, "POST", path, b"", {"Referer": f"https://x{HOOK}"}) for path in (HOOK, key)] == [202, 202]
    assert ask(proxy, "POST", HOOK, b"x" * (2**20 + 1)) == 413
    until(lambda: "/hooks/acme/" in proxy.logged() and "/webhooks/list" in proxy.logged(), seconds=5, what="the lines")
    assert TOKEN not in proxy.logged()


def test_no_error_has_a_token_in_it_while_web_is_away(tmp_path: Path) -> None:
    for name, start in (("nginx", nginx), ("caddy", caddy)):
        folder = tmp_path / name
        folder.mkdir()
        with start(folder, free_port()) as proxy:
            assert ask(proxy, "POST", HOOK, b"leads") == 502
            until(lambda proxy=proxy: "502" in proxy.logged(), seconds=5, what="the line")
            assert TOKEN not in proxy.logged()


def test_connections_to_web_are_kept_open(proxy: Proxy, web: RecordingWeb) -> None:
    assert {ask(proxy, "POST", HOOK) for _ in range(5)} == {202}
    assert web.open_connections() == 1
