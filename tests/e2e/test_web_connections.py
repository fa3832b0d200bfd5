"""What strangers may hold of a running web process: heads, silence, connections. Honest hooks do not notice."""

import http.client
import re
import resource
import selectors
import socket
from collections.abc import Iterator

import pytest

from relay.embedded.server import EmbeddedStore
from relay.web.connections import MAX_CONNECTIONS, MAX_HEAD_BYTES
from tests.e2e.harness import TOKEN, lead_hook
from tests.e2e.test_web_server import Web, post, running

HOOK = f"POST /hooks/acme/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module", autouse=True)
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    store = EmbeddedStore(folder / "store")
    store.start()
    with running(folder, store) as web:
        yield web
    store.stop()


def connect(web: Web) -> socket.socket:
    return socket.create_connection(("127.0.0.1", web.port), timeout=30)


def read_to_end(connection: socket.socket) -> bytes:
    """Return all that arrives until the connection is closed; a reset closes it too."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionError:
        pass
    return received


def received_bytes(web: Web) -> int:
    metrics = str(web.request("GET", "/metrics")[1]["text"])
    return sum(int(float(found)) for found in re.findall(r"^relay_received_bytes_total\{.*\} (\S+)$", metrics, re.M))


def exchange(web: Web, request: bytes) -> str:
    """Return the status of the answer, "" where there is none. The server must close the connection."""
    with connect(web) as connection:
        try:
            connection.sendall(request)
        except ConnectionError:
            return ""  # it was closed while we still wrote
        return read_to_end(connection)[9:12].decode()


LARGE = b"x" * MAX_HEAD_BYTES


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: %b" % LARGE,
        b"GET /healthz?%b" % LARGE,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-Small: 1\r\n" * (MAX_HEAD_BYTES // 12 + 1),
        HOOK.encode() + b"Transfer-Encoding: chunked\r\n\r\n1;%b" % (2 * LARGE),
        HOOK.encode() + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Large: %b" % (2 * LARGE),
    ],
    ids=["a header", "an address", "many headers", "a chunk's extension", "a trailer"],
)
def test_a_head_that_is_too_large_is_refused_before_it_is_whole(web, request_head):
    assert exchange(web, request_head) == "431"


def test_a_head_of_the_allowed_size_is_served(web):
    padding = b"x" * (MAX_HEAD_BYTES - 200)
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: %b\r\n\r\n" % padding
    assert exchange(web, head) == "200"


def test_trailers_are_read_and_dropped(web):
    body = lead_hook(7)
    chunk = b"%x\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(body), body)
    assert exchange(web, HOOK.encode() + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk) == "202"


@pytest.mark.parametrize(
    "request_head",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"CONNECT a.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"],
)
def test_what_is_no_request_for_us_is_answered_with_400(web, request_head):
    assert exchange(web, request_head) == "400"


@pytest.mark.parametrize(("protocol", "leads"), [("websocket", (11, 12)), ("h2c", (13, 14))])
def test_another_protocol_is_not_changed_to_and_the_hook_is_stored(web, protocol, leads):
    before = received_bytes(web)
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    asking = {"Connection": "Upgrade", "Upgrade": protocol, "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
    for lead in leads:  # the second one on the same connection
        connection.request("POST", f"/hooks/acme/{TOKEN}", lead_hook(lead), asking)
        answer = connection.getresponse()
        assert (answer.status, b"receipt" in answer.read()) == (202, True)
    connection.close()
    assert received_bytes(web) - before == sum(len(lead_hook(lead)) for lead in leads)


def test_who_does_not_go_on_is_closed_and_an_idle_served_connection_stays(web):
    served = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    served.request("GET", "/healthz")
    served.getresponse().read()
    silent = [connect(web) for _ in range(20)]
    begun = [connect(web) for _ in range(20)]
    for connection in begun:
        connection.sendall(HOOK.encode())
    stalled = connect(web)
    stalled.sendall(HOOK.encode() + b"Content-Length: 100\r\n\r\nleads[add]")
    assert read_to_end(stalled)[9:12] == b"408"
    assert [read_to_end(connection) for connection in silent] == [b""] * 20
    assert {read_to_end(connection)[9:12] for connection in begun} == {b"408"}
    served.request("GET", "/healthz")
    assert served.getresponse().status == 200
    for connection in (*silent, *begun, stalled, served.sock):
        connection.close()


def test_more_silent_connections_than_the_process_may_have_files_keep_no_hook_out(web):
    resource.prlimit(web.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    oldest = connect(web)
    strangers = [connect(web) for _ in range(1_100)]
    assert [post(web.port) for _ in range(20)] == ["202"] * 20
    # The longest idle ones were closed first, and no more of them than had to be.
    assert read_to_end(oldest) == b""
    waiting = selectors.DefaultSelector()
    for connection in strangers:
        waiting.register(connection, selectors.EVENT_READ)
    closed = {key.fileobj for key, _ in waiting.select(0)}
    assert closed == set(strangers[: len(closed)])
    assert len(strangers) - len(closed) in range(MAX_CONNECTIONS - 30, MAX_CONNECTIONS + 1)
    waiting.close()
    for connection in (oldest, *strangers):
        connection.close()
