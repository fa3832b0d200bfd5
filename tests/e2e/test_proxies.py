"""A relay whose network has no way out but proxies: real processes, a real proxy, TLS under an authority of our own."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from relay.cli import app
from relay.processes.supervisor import Processes
from tests.authority import Authority
from tests.e2e.harness import HookSender, lead_hook, run_relay, until
from tests.proxy import FakeProxy, listening

PASSWORD = "s3c-r3t-of-the-proxy"
CONFIG = """
sources:
  acme: {{type: amocrm, token: test-token}}
sinks:
  books: {{type: http, idempotency: honoured, url: "https://books.example.com/api", probe: {{path: /ping}}}}
  partner: {{type: http, idempotency: honoured, url: "https://partner.example.com", proxy: "http://relay:${{PASSWORD}}@127.0.0.1:{own}"}}
  refused: {{type: http, idempotency: honoured, url: "https://ledger.example.com", proxy: "http://relay:${{PASSWORD}}2@127.0.0.1:{own}"}}
  inside: {{type: http, idempotency: honoured, url: "${{RELAY_SANDBOX_URL}}/inside"}}
routes:
  - {{name: books, on: add_lead, to: [books, partner, refused, inside], body: {{lead: "{{{{ lead.id }}}}"}}}}
"""


@dataclass
class Outside:
    """What is beyond the relay's network: a server, and two proxies that lead to it."""

    environment: FakeProxy
    own: FakeProxy
    heads: list[str]  # of the requests that arrived at the server


@contextmanager
def run_outside(authority: Authority) -> Iterator[Outside]:
    """Run them in a thread."""
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async def run(ready: Callable[[Outside], None], stopped: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            tls = authority.server_context("books.example.com", "partner.example.com")
            ports = {443: await stack.enter_async_context(listening(serve, tls))}
            proxies = [FakeProxy(ports=ports, credentials=f"relay:{PASSWORD}") for _ in range(2)]
            for proxy in proxies:
                await stack.enter_async_context(proxy.open())
            ready(Outside(*proxies, heads))
            await stopped.wait()

    loop, stopped, found, started = asyncio.new_event_loop(), asyncio.Event(), [], threading.Event()

    def announce(outside: Outside) -> None:
        found.append(outside)
        started.set()

    thread = threading.Thread(target=lambda: asyncio.Runner(loop_factory=lambda: loop).run(run(announce, stopped)))
    thread.start()
    assert started.wait(30)
    yield found[0]
    loop.call_soon_threadsafe(stopped.set)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Outside, Authority]]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with run_outside(authority) as found:
        yield found, authority


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit):
        app(arguments)
    printed = capsys.readouterr()
    return printed.out + printed.err


def reasons(processes: Processes) -> dict[str, tuple[str, str]]:
    """Return outcome and reason of the last attempt at each sink, from the worker's log."""
    lines = [json.loads(line) for line in processes.log("worker").splitlines() if line.startswith("{")]
    attempts = [line for line in lines if line["event"] == "delivery.attempted"]
    return {line["sink"]: (line["outcome"], line["reason"]) for line in attempts}


def test_sinks_are_called_through_their_proxies_and_no_credentials_are_shown(
    outside: tuple[Outside, Authority],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there, authority = outside
    variables = {
        "HTTPS_PROXY": there.environment.url,
        "HTTP_PROXY": "http://127.0.0.1:1",  # nobody listens there, and the fakes are called all the same
        "SSL_CERT_FILE": str(authority.file),
        "PASSWORD": PASSWORD,
    }
    with run_relay(tmp_path, CONFIG.format(own=there.own.port), **variables) as processes:
        sender = HookSender(processes)
        sender.post_until_taken(lead_hook(1))
        sender.close()
        attempts = until(lambda: found if len(found := reasons(processes)) == 4 else None, what="an attempt at each")
        for name, value in processes.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        shown = {
            "check": command(capsys, "check"),
            # In a process of its own: this one may have read the system's certificates before.
            "probe": subprocess.run(
                [sys.executable, "-m", "relay", "sinks", "probe", "books"],
                env=processes.environ,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            ).stdout,
            "deliveries": command(capsys, "deliveries", "list", "--json"),
            "doctor": command(capsys, "doctor"),
        }
        for delivery in json.loads(shown["deliveries"]):
            shown[delivery["sink"]] = command(capsys, "deliveries", "show", delivery["id"])
        logs = processes.log("worker") + processes.log("web")

    assert {sink: outcome for sink, (outcome, _) in attempts.items()} == {
        "books": "delivered",
        "partner": "delivered",
        "inside": "delivered",
        "refused": "blocked",
    }
    proxy = f"http://127.0.0.1:{there.own.port}"
    refusal = "407 Proxy Authentication Required: check the user and password in the proxy's address"
    assert attempts["refused"][1] == f"the proxy {proxy} gives no way to ledger.example.com:443: {refusal}"
    assert refusal in shown["refused"]
    assert refusal in shown["doctor"]
    assert f'"proxy": "{proxy}"' in shown["partner"]
    assert "it answers 200" in shown["probe"]
    assert set(there.environment.asked) == {"CONNECT books.example.com:443"}
    assert set(there.own.asked) == {"CONNECT partner.example.com:443", "CONNECT ledger.example.com:443"}
    assert sorted(head.split("\r\n")[0] for head in there.heads) == [
        "GET /api/ping HTTP/1.1",
        "POST / HTTP/1.1",
        "POST /api HTTP/1.1",
    ]
    for text in (*shown.values(), *there.heads, logs):
        assert PASSWORD not in text
        assert there.own.url.partition("@")[0] not in text
