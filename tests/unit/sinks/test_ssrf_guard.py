"""Addresses that a subscriber must not make the relay call. Real sockets and TLS; tests decide how names resolve."""

import asyncio
import ssl
import subprocess
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest
from yarl import URL

from relay.config.proxy import parse_proxy
from relay.config.proxy_environment import ProxyRules
from relay.processes.ports import free_port, is_free
from relay.sinks.ssrf_guard import PORTS, check_addresses, ip_refusal, open_guarded_session, url_refusal
from relay.transport import Request, Response, TransportFailure, call, connector
from tests.proxy import FakeProxy

HERE = (ip_network("127.0.0.1/32"),)


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com/hooks?key=1",
        "http://crm.example.com",
        "https://crm.example.com:8443/",
        "http://crm.example.com:8080/",
        "https://пример.рф/hooks",
        "https://8.8.8.8/hooks",
        "https://[2a00:1450:4001:81b::200e]/hooks",
        "https://not-resolved-anywhere.example/",
        "https://1and1.com/",
        "https://10.0.0.1.example.com/",
        "https://0x7f.example/",
    ],
)
def test_addresses_of_the_public_internet_are_not_refused_and_no_name_is_resolved(url):
    assert url_refusal(url) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        # schemes and shapes
        ("ftp://crm.example.com/", "only http:// and https:// are possible"),
        ("file:///etc/passwd", "only http:// and https:// are possible"),
        ("gopher://crm.example.com/", "only http:// and https:// are possible"),
        ("crm.example.com/hooks", "only http:// and https:// are possible"),
        ("http:///hooks", "it names no host"),
        ("http://crm.example.com /", "it has spaces, control characters or backslashes"),
        ("http://crm.example.com/\r\nX: y", "it has spaces, control characters or backslashes"),
        ("http://crm.example.com\\@10.0.0.1/", "it has spaces, control characters or backslashes"),
        ("http://[::1", "it cannot be read"),
        ("http://crm.example.com:99999/", "it cannot be read"),
        # userinfo
        ("http://crm.example.com@10.0.0.1/", "a name or password in it is not possible"),
        ("http://user:secret@crm.example.com/", "a name or password in it is not possible"),
        ("http://@crm.example.com/", "a name or password in it is not possible"),
        # ports
        ("http://crm.example.com:6379/", "port 6379 is not possible, only 80, 443, 8080, 8443"),
        ("http://crm.example.com:22/", "port 22 is not possible, only 80, 443, 8080, 8443"),
        ("http://8.8.8.8:25/", "port 25 is not possible, only 80, 443, 8080, 8443"),
        # names of this machine
        ("http://localhost/", "localhost is loopback"),
        ("http://LOCALHOST./", "localhost is loopback"),
        ("http://redis.localhost/", "redis.localhost is loopback"),
        # IPv4 in the forms that a system's resolver reads, and we do not
        ("http://2130706433/", "is an unusual form of an IPv4 address"),
        ("http://0x7f000001/", "is an unusual form of an IPv4 address"),
        ("http://0X7F.1/", "is an unusual form of an IPv4 address"),
        ("http://017700000001/", "is an unusual form of an IPv4 address"),
        ("http://0177.0.0.1/", "is an unusual form of an IPv4 address"),
        ("http://127.1/", "is an unusual form of an IPv4 address"),
        ("http://127.0.0.0x1/", "is an unusual form of an IPv4 address"),
        ("http://1.2.3.4.5/", "is an unusual form of an IPv4 address"),
        ("http://256.1.1.1/", "is an unusual form of an IPv4 address"),
        ("http://127.0.0.1./", "127.0.0.1 is loopback"),
        ("http://127。0。0。1/", "127.0.0.1 is loopback"),
        ("http://①②⑦.0.0.1/", "127.0.0.1 is loopback"),
        ("http://127.0.0.1%2f.example.com/", "127.0.0.1%2f.example.com is not a host name"),
        # written addresses
        ("http://10.1.2.3/", "10.1.2.3 is private"),
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is a cloud's metadata service"),
        ("http://[::1]/", "::1 is loopback"),
        ("http://[::ffff:127.0.0.1]/", "is an IPv4 address within IPv6"),
        ("http://[fe80::1%25eth0]/", "is link-local"),
    ],
)
def test_what_an_address_says_itself_is_refused(url, reason):
    refused = url_refusal(url)
    assert refused is not None
    assert reason in refused


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("169.254.1.1", "link-local"),
        ("169.254.169.254", "a cloud's metadata service"),
        ("168.63.129.16", "a cloud's metadata service"),
        ("100.100.100.200", "a cloud's metadata service"),
        ("100.64.0.1", "a carrier's own (CGNAT)"),
        ("100.127.255.255", "a carrier's own (CGNAT)"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("192.0.2.1", "for documentation"),
        ("198.51.100.1", "for documentation"),
        ("203.0.113.1", "for documentation"),
        ("198.18.0.1", "for benchmarks"),
        ("198.19.255.255", "for benchmarks"),
        ("192.0.0.192", "reserved"),
        ("192.88.99.1", "reserved"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fd00:ec2::254", "a cloud's metadata service"),
        ("fd12:3456::1", "private"),
        ("fc00::1", "private"),
        ("fec0::1", "private"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "for documentation"),
        ("3fff::1", "for documentation"),
        ("2001:2::1", "for benchmarks"),
        ("::8.8.8.8", "an IPv4 address within IPv6"),
        ("::ffff:8.8.8.8", "an IPv4 address within IPv6"),
        ("::ffff:169.254.169.254", "an IPv4 address within IPv6"),
        ("64:ff9b::10.0.0.1", "an IPv4 address within IPv6"),
        ("64:ff9b:1::1", "an IPv4 address within IPv6"),
        ("2002:a00:1::", "an IPv4 address within IPv6"),
        ("2001::1", "an IPv4 address within IPv6"),
        ("100::1", "reserved"),
        ("2001:1::1", "reserved"),
        ("5f00::1", "reserved"),
        ("4000::1", "no public address"),
        ("8000::1", "no public address"),
    ],
)
def test_an_address_that_is_not_public_is_refused(address, what):
    assert ip_refusal(ip_address(address)) == f"{ip_address(address)} is {what}"


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "11.0.0.0", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "169.253.255.255",
     "223.255.255.255", "192.167.255.255", "2a02:6b8::1", "2600:1f18::1", "2001:4860:4860::8888", "2003::1"],
)  # fmt: skip
def test_addresses_beside_a_forbidden_network_are_not_refused(address):
    assert ip_refusal(ip_address(address)) is None


@pytest.mark.parametrize(
    ("url", "allow", "allowed"),
    [
        ("http://127.0.0.1:5000/", ("127.0.0.1/32",), True),
        ("http://127.0.0.2:5000/", ("127.0.0.1/32",), False),
        ("http://10.1.2.3/", ("10.1.0.0/16",), True),
        ("http://10.2.2.3/", ("10.1.0.0/16",), False),
        ("http://[::1]:9/", ("::1/128",), True),
        ("http://localhost:5000/", ("127.0.0.1/32",), False),
        ("http://2130706433/", ("127.0.0.1/32",), False),
        ("http://user@127.0.0.1/", ("127.0.0.1/32",), False),
    ],
)
def test_the_operator_may_trust_a_network_with_all_its_ports(url, allow, allowed):
    assert (url_refusal(url, [ip_network(network) for network in allow]) is None) == allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://localhost:5000/", True),
        ("http://LocalHost.:5000/", True),
        ("http://evil.localhost:5000/", False),
        ("http://127.0.0.1:5000/", False),
        ("ftp://localhost/", False),
        ("http://user@localhost/", False),
    ],
)
def test_the_operator_may_trust_a_name(url, allowed):
    assert (url_refusal(url, ["localhost"]) is None) == allowed


# Connections


class Names:
    """Resolves names by a script: each call returns the next answer of a name, then the last one again."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked = []

    async def look_up(self, host, asker):
        self.asked.append(host)
        answers = self.answers[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]

        async def answer():
            if isinstance(found, Exception):
                raise found
            return await found() if callable(found) else found

        return answer

    async def close(self):
        pass


async def exchange(url, names, allow=HERE, times=1):
    """Call an address `times` times, each over a new connection, and return the last answer."""
    session = open_guarded_session(lambda: allow, names)
    try:
        for _ in range(times):
            request = Request(
                method="POST", url=URL(url), headers={"Connection": "close"}, body=b"a=1", timeout_ms=5_000
            )
            answer = await call(session, request)
        return answer
    finally:
        await session.close()


HOSTS = ["127.0.0.1", "127.0.0.2"]


def free_on_both():
    """Return a port that is free on both addresses: what is free on the first may be taken on the second."""
    return next(port for port in iter(free_port, None) if is_free(port, HOSTS[1]))


@asynccontextmanager
async def listening(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", context=None):
    """Listen at 127.0.0.1 and .2. Return the port and the requests: the address and the head of each."""
    came = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        came.append((writer.get_extra_info("sockname")[0], head))
        writer.write(answer)
        await writer.drain()
        writer.close()

    port = free_on_both()
    server = await asyncio.start_server(serve, HOSTS, port, ssl=context)
    try:
        yield port, came
    finally:
        server.close()
        await server.wait_closed()


def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_asked_once():
    async def scenario():
        names = Names(crm_example=[["127.0.0.1"], ["10.0.0.1"]])
        async with listening() as (port, came):
            answer = await exchange(f"http://crm.example:{port}/", names)
        assert isinstance(answer, Response)
        assert [where for where, _ in came] == ["127.0.0.1"]
        assert b"Host: crm.example" in came[0][1]
        assert names.asked == ["crm.example"]

    asyncio.run(scenario())


def test_a_name_that_answers_otherwise_the_next_time_is_refused_then():
    async def scenario():
        names = Names(crm_example=[["127.0.0.1"], ["127.0.0.2"]])
        async with listening() as (port, came):
            answer = await exchange(f"http://crm.example:{port}/", names, times=2)
        assert isinstance(answer, TransportFailure)
        assert "127.0.0.2 is loopback" in answer.reason
        assert answer.sent is False
        assert [where for where, _ in came] == ["127.0.0.1"]
        assert names.asked == ["crm.example"] * 2

    asyncio.run(scenario())


def test_of_several_answers_only_those_that_passed_are_called():
    async def scenario():
        names = Names(crm_example=[["127.0.0.2", "169.254.169.254", "127.0.0.1"]])
        async with listening() as (port, came):
            answer = await exchange(f"http://crm.example:{port}/", names)
        assert isinstance(answer, Response)
        assert [where for where, _ in came] == ["127.0.0.1"]

    asyncio.run(scenario())


def test_a_name_that_is_trusted_may_be_anywhere():
    async def scenario():
        async with listening() as (port, came):
            answer = await exchange(f"http://crm.example:{port}/", Names(crm_example=[["127.0.0.2"]]), ["crm.example"])
        assert isinstance(answer, Response)
        assert len(came) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("found", [OSError(-2, "Name or service not known"), []])
def test_a_name_that_does_not_resolve_is_a_failure_like_any_other(found):
    answer = asyncio.run(exchange("http://crm.example/", Names(crm_example=[found])))
    assert isinstance(answer, TransportFailure)
    assert (answer.kind, answer.sent) == ("dns", False)


def test_a_redirect_is_an_answer_and_is_not_followed():
    async def scenario():
        names = Names(crm_example=[["127.0.0.1"]])
        moved = (
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        async with listening(moved) as (port, came):
            answer = await exchange(f"http://crm.example:{port}/", names)
        assert isinstance(answer, Response)
        assert answer.status == 302
        assert len(came) == 1
        assert names.asked == ["crm.example"]

    asyncio.run(scenario())


def test_a_look_up_that_hangs_does_not_outlive_the_time_to_answer():
    async def scenario():
        session = open_guarded_session(lambda: HERE, Names(crm_example=[asyncio.Event().wait]))
        request = Request(method="POST", url=URL("http://crm.example/"), headers={}, body=b"a=1", timeout_ms=50)
        try:
            return await call(session, request)
        finally:
            await session.close()

    answer = asyncio.run(scenario())
    assert isinstance(answer, TransportFailure)
    assert answer.kind == "timeout_before_write"


def test_addresses_of_both_kinds_pass_in_their_order():
    assert check_addresses("crm.example", ["2a02:6b8::1", "10.0.0.1", "8.8.8.8"]) == ["2a02:6b8::1", "8.8.8.8"]


def test_the_ports_are_those_of_web_servers():
    assert {80, 443, 8080, 8443} == PORTS


# A proxy


async def exchange_through(proxy, url, names, allow=()):
    session = open_guarded_session(lambda: allow, names, ProxyRules(http=parse_proxy(proxy.url)))
    try:
        return await call(session, Request(method="POST", url=URL(url), headers={}, body=b"a=1", timeout_ms=5_000))
    finally:
        await session.close()


def test_a_proxy_is_asked_for_the_address_that_was_checked_and_never_for_the_name():
    """A proxy that resolved the name itself might reach what no subscriber may: the relay's own network, or its own."""

    async def scenario():
        names = Names(crm_example=[["8.8.8.8"], ["10.0.0.1"]])
        async with listening() as (port, came), FakeProxy(ports={80: port}).open() as proxy:
            return await exchange_through(proxy, "http://crm.example/hooks", names), came, proxy, names

    answer, ((_, head),), proxy, names = asyncio.run(scenario())
    assert isinstance(answer, Response)
    assert (proxy.asked, names.asked) == (["CONNECT 8.8.8.8:80"], ["crm.example"])
    assert head.startswith(b"POST /hooks HTTP/1.1\r\nHost: crm.example\r\n")


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "::1"]])
def test_a_proxy_is_not_asked_for_an_address_that_is_refused(addresses):
    async def scenario():
        async with FakeProxy().open() as proxy:
            return await exchange_through(proxy, "http://crm.example/", Names(crm_example=[addresses])), proxy

    answer, proxy = asyncio.run(scenario())
    assert isinstance(answer, TransportFailure)
    assert (answer.kind, answer.sent, proxy.asked) == ("dns", False, [])
    assert f"{addresses[0]} is" in answer.reason


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a self-signed certificate for crm.example."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", paths[0], "-out", paths[1], "-subj", "/CN=crm", "-addext", "subjectAltName=DNS:crm.example"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return paths


@pytest.mark.parametrize("name", ["crm.example", "other.example"])
def test_the_certificate_must_be_for_the_host_that_was_subscribed(certificate, monkeypatch, name):
    key, cert = certificate
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(cert, key)
    asked = []
    serving.sni_callback = lambda _, server_name, __: asked.append(server_name)
    monkeypatch.setattr(connector, "_default_tls", lambda: ssl.create_default_context(cafile=str(cert)))

    async def scenario():
        names = Names(crm_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
        async with listening(context=serving) as (port, came):
            return await exchange(f"https://{name}:{port}/", names), came

    answer, came = asyncio.run(scenario())
    assert set(asked) == {name}
    if name == "crm.example":
        assert isinstance(answer, Response)
        assert len(came) == 1
    else:
        assert isinstance(answer, TransportFailure)
        assert (answer.kind, answer.sent) == ("tls", False)
        assert came == []
