"""Calls through a proxy: what it is asked for, what it may say, and that nothing has left before there is a tunnel."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import uvloop
from yarl import URL

from relay.config.proxy import Proxy, parse_proxy
from relay.config.proxy_environment import ProxyRules
from relay.transport import Request, Response, Session, TransportFailure, call, connector, session
from tests.authority import Authority
from tests.proxy import FakeProxy, listening

HOST = "books.example.com"
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


class Server:
    """Answers every request with 200, and records them."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.names: list[str | None] = []  # that were asked for by SNI

    async def serve(self, reader, writer):
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            self.requests.append(head)
            length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("Content-Length:")), 0)
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class Names:
    """A resolver with a list of addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def look_up(self, host, asker):
        self.asked.append(host)
        return self.read

    async def read(self):
        return self.addresses

    async def close(self):
        pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def trust(authority, monkeypatch):
    context = authority.client_context()
    monkeypatch.setattr(connector, "_default_tls", lambda: context)
    monkeypatch.setattr(session, "RECONNECT_PAUSE_S", 0)


@pytest.fixture
def world(authority):
    """Open a server at https://books.example.com (http: without `tls`) and a proxy on the way to it."""

    @asynccontextmanager
    async def open_world(*, tls=HOST, proxy_tls=None, **behaviour):
        server = Server()
        context = authority.server_context(tls) if tls else None
        if context:
            context.sni_callback = lambda _, name, __: server.names.append(name)
        proxy_context = authority.server_context(proxy_tls) if proxy_tls else None
        async with listening(server.serve, context) as port:
            fake = FakeProxy(ports={443: port, 80: port}, **behaviour)
            async with fake.open(proxy_context):
                yield server, fake

    return open_world


def request(url: str = f"https://{HOST}/invoices?a=1", *, timeout_ms: int = 5_000) -> Request:
    return Request(method="POST", url=URL(url), headers={}, body=b"{}", timeout_ms=timeout_ms)


def run(coroutine, loop=asyncio.new_event_loop):
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(coroutine)


def through(proxy: FakeProxy, calls: Session) -> Session:
    return calls.through(parse_proxy(proxy.url))


def exchange(world, *, url: str = f"https://{HOST}/invoices?a=1", times: int = 1, loop=asyncio.new_event_loop,
             names=None, timeout_ms: int = 5_000, **how):  # fmt: skip
    """Make calls in turn through the proxy. Return the answers, the server and the proxy."""

    check = names and (lambda host, addresses: addresses)

    async def scenario():
        async with world(**how) as (server, proxy), Session(names, check) as calls:
            proxied = through(proxy, calls)
            return [await call(proxied, request(url, timeout_ms=timeout_ms)) for _ in range(times)], server, proxy

    return run(scenario(), loop)


@LOOPS
def test_https_goes_through_a_tunnel_and_tls_is_with_the_host(world, loop):
    answers, server, proxy = exchange(world, times=2, loop=loop)
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"ok")] * 2
    assert proxy.asked == [f"CONNECT {HOST}:443"], "the proxy resolves the name, and the tunnel is used again"
    assert server.names == [HOST]
    assert server.requests[0].startswith("POST /invoices?a=1 HTTP/1.1\r\nHost: books.example.com\r\n")
    assert "proxy" not in server.requests[0].lower()


@LOOPS
def test_plain_http_is_passed_on_by_the_proxy(world, loop):
    (answer,), server, proxy = exchange(world, url=f"http://{HOST}/invoices", tls=None, loop=loop)
    assert answer.status == 200
    assert proxy.asked == [f"POST http://{HOST}/invoices"]
    assert server.requests[0].startswith("POST /invoices HTTP/1.1")


@pytest.mark.parametrize(("scheme", "tls"), [("https", HOST), ("http", None)])
def test_the_credentials_are_for_the_proxy_alone(world, scheme, tls):
    (answer,), server, _ = exchange(world, url=f"{scheme}://{HOST}/", tls=tls, credentials="relay:s3c-r3t")
    assert answer.status == 200
    assert "authorization" not in server.requests[0].lower()


@LOOPS
@pytest.mark.parametrize(("scheme", "tls"), [("https", HOST), ("http", None)])
def test_the_way_to_the_proxy_may_be_tls_too(world, loop, scheme, tls):
    async def scenario():
        async with world(tls=tls, proxy_tls="127.0.0.1") as (_, proxy), Session() as calls:
            through = calls.through(parse_proxy(f"https://127.0.0.1:{proxy.port}"))
            return [await call(through, request(f"{scheme}://{HOST}/")) for _ in range(2)], proxy

    answers, proxy = run(scenario(), loop)
    assert [answer.status for answer in answers] == [200, 200]
    assert proxy.asked[0] == (f"CONNECT {HOST}:443" if tls else f"POST http://{HOST}/")


@LOOPS
@pytest.mark.parametrize(("scheme", "port", "tls"), [("https", 443, HOST), ("http", 80, None)])
def test_an_address_that_was_checked_is_asked_for_and_never_the_name(world, loop, scheme, port, tls):
    names = Names("203.0.113.7")
    (answer,), server, proxy = exchange(world, url=f"{scheme}://{HOST}/hooks", tls=tls, names=names, loop=loop)
    assert answer.status == 200
    assert names.asked == [HOST]
    assert proxy.asked == [f"CONNECT 203.0.113.7:{port}"]
    assert server.requests[0].startswith(f"POST /hooks HTTP/1.1\r\nHost: {HOST}\r\n")
    assert server.names == ([HOST] if tls else [])


def test_tls_verifies_the_name_also_where_an_address_was_asked_for(world):
    (answer,), server, _ = exchange(world, tls="other.example.com", names=Names("203.0.113.7"))
    assert (answer.kind, answer.sent) == ("tls", False)
    assert server.requests == []


def test_of_several_addresses_the_next_is_asked_for_where_the_proxy_cannot_reach_one(world):
    refused = {"[2001:db8::7]:443": b"HTTP/1.1 502 Bad Gateway\r\n\r\n"}
    names = Names("2001:db8::7", "203.0.113.7")
    (answer,), _, proxy = exchange(world, names=names, answers=refused)
    assert answer.status == 200
    assert proxy.asked == ["CONNECT [2001:db8::7]:443", "CONNECT 203.0.113.7:443"]


def refusal(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 6\r\n\r\nsecret".encode()


@LOOPS
@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        ({"answer": refusal("403 Forbidden")}, "proxy",
         "gives no way to books.example.com:443: 403 Forbidden: it does not allow this address"),
        ({"answer": refusal("407 Proxy Authentication Required")}, "proxy",
         "407 Proxy Authentication Required: check the user and password in the proxy's address"),
        ({"answer": refusal("405 Method Not Allowed")}, "proxy", "it makes no tunnels to this port"),
        ({"answer": refusal("302 Found")}, "proxy", "gives no way to books.example.com:443: 302 Found"),
        ({"answer": refusal("502 Bad Gateway")}, "connect", "gives no way to books.example.com:443: 502 Bad Gateway"),
        ({"answer": refusal("504 Gateway Timeout")}, "connect", "504 Gateway Timeout"),
        ({"answer": b"220 mail.example.com ESMTP\r\n"}, "protocol", "not HTTP: is this the address of a proxy?"),
        ({"answer": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000}, "protocol", "is this the address of a proxy?"),
        ({"answer": b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"}, "reset", "closed the tunnel at once"),
        ({"cut": "before"}, "reset", "gives no answer: it closed the connection"),
        ({"cut": "after"}, "connect", "cannot connect to books.example.com"),
    ],
    ids=["403", "407", "405", "302", "502", "504", "no HTTP", "no end", "answers too early", "cut", "cut in it"],
)  # fmt: skip
def test_a_proxy_that_makes_no_tunnel_has_let_nothing_through(world, loop, how, kind, reason):
    (answer,), server, _ = exchange(world, loop=loop, **how)
    assert isinstance(answer, TransportFailure)
    assert (answer.kind, answer.sent) == (kind, False)
    assert reason in answer.reason
    assert "secret" not in answer.reason
    assert server.requests == []


@LOOPS
def test_a_proxy_that_hangs_takes_no_more_than_the_time_of_the_call(world, loop):
    (answer,), server, _ = exchange(world, loop=loop, hang=True, timeout_ms=100)
    assert (answer.kind, answer.sent) == ("timeout_before_write", False)
    assert answer.reason.startswith("no connection in time through the proxy http://127.0.0.1:")
    assert server.requests == []


def test_nor_more_than_connecting_may_take(world, monkeypatch):
    monkeypatch.setattr(connector, "CONNECT_TIMEOUT_S", 0.05)
    (answer,), _, _ = exchange(world, hang=True, timeout_ms=60_000)
    assert (answer.kind, answer.sent) == ("timeout_before_write", False)


def test_a_proxy_that_asks_for_a_password_has_passed_nothing_on(world):
    """Of plain http its 407 is an answer like any other, and never the server's own."""
    how = {"url": f"http://{HOST}/", "tls": None, "answer": refusal("407 Proxy Authentication Required")}
    (answer,), server, _ = exchange(world, **how)
    assert (answer.kind, answer.sent) == ("proxy", False)
    advice = "check the user and password in the proxy's address"
    assert answer.reason.endswith(f"passes nothing on: 407 Proxy Authentication Required: {advice}")
    assert server.requests == []


@pytest.mark.parametrize("status", ["403 Forbidden", "502 Bad Gateway"])
def test_other_answers_to_plain_http_may_be_the_server_s(world, status):
    (answer,), _, _ = exchange(world, url=f"http://{HOST}/", tls=None, answer=refusal(status))
    assert isinstance(answer, Response)
    assert answer.status == int(status[:3])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_breaks_off_after_the_request_may_have_been_applied(world, scheme, authority):
    async def scenario():
        async def cut(reader, writer):
            await reader.readuntil(b"\r\n\r\n")

        context = authority.server_context(HOST) if scheme == "https" else None
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(listening(cut, context))
            proxy = await stack.enter_async_context(FakeProxy(ports={443: port, 80: port}).open())
            calls = await stack.enter_async_context(Session())
            return await call(through(proxy, calls), request(f"{scheme}://{HOST}/")), proxy

    answer, proxy = run(scenario())
    assert (answer.kind, answer.sent) == ("reset", True)
    assert len(proxy.asked) == 1, "it must not be sent a second time"


def test_a_proxy_that_is_not_there_is_named_without_its_credentials():
    proxy = parse_proxy("http://relay:s3c-r3t@127.0.0.1:1")

    async def scenario():
        async with Session() as calls:
            return await call(calls.through(proxy), request())

    answer = run(scenario())
    assert (answer.kind, answer.sent) == ("connect", False)
    assert answer.reason.startswith("cannot connect to the proxy http://127.0.0.1:1: ")
    assert "s3c" not in answer.reason + repr(proxy) + str(proxy)


def test_the_proxy_of_the_environment_is_used_where_none_is_said(world):
    async def scenario():
        async with world() as (_, proxy):
            rules = ProxyRules(https=parse_proxy(proxy.url))
            async with Session(proxies=rules) as calls:
                answers = [await call(calls, request()), await call(calls.through(False), request())]
            return answers, proxy

    (proxied, direct), proxy = run(scenario())
    assert proxied.status == 200
    assert direct.kind == "dns"
    assert len(proxy.asked) == 1


def test_a_host_of_no_proxy_is_called_directly(world):
    async def scenario():
        async with world(tls=None) as (server, proxy):
            port = proxy.ports[80]
            rules = ProxyRules(http=Proxy(scheme="http", host="127.0.0.1", port=1), exceptions=(f"127.0.0.1:{port}",))
            async with Session(proxies=rules) as calls:
                answers = [await call(calls, request(f"http://127.0.0.1:{p}/")) for p in (port, 2)]
            return answers, server

    (direct, proxied), server = run(scenario())
    assert (direct.status, len(server.requests)) == (200, 1)
    assert "the proxy http://127.0.0.1:1" in proxied.reason


def test_connections_through_other_proxies_are_not_used_again(world):
    """Who may go through one proxy need not be let through the other."""

    async def scenario():
        async with (
            world(tls=None) as (_, first),
            world(tls=None, credentials="relay:one") as (_, second),
            Session() as calls,
        ):
            url = f"http://{HOST}/"
            answers = [await call(through(proxy, calls), request(url)) for proxy in (first, second, first)]
            other = parse_proxy(second.url.replace("one", "two"))
            return [*answers, await call(calls.through(other), request(url))], first, second

    answers, first, second = run(scenario())
    assert [answer.status for answer in answers[:3]] == [200] * 3
    assert answers[3].kind == "proxy"
    assert (first.connections, second.connections) == (1, 2)


def test_closing_a_session_closes_its_tunnels(world):
    async def scenario():
        async with world() as (_, proxy):
            calls = Session()
            await call(through(proxy, calls), request())
            (connection,) = calls._pool.open
            await calls.close()
            return connection.lost.done(), calls._pool.open

    assert run(scenario()) == (True, set())
