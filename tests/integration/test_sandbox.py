"""The sandbox over real sockets: what a raw client sees of each fault, and what the log says of it."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from relay.processes.ports import free_port, http_get

DEADLINE = 20.0
BODY = b'{"amount":"1500.00"}'


def until(condition) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.01)


class Client:
    """Talks to one sandbox: HTTP for what answers properly, raw sockets for what does not."""

    def __init__(self, port: int) -> None:
        self.port = port

    def call(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)) as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            text = answer.read()
            parsed = json.loads(text) if answer.headers["content-type"] == "application/json" else text
            return answer.status, parsed, answer.headers

    def fault(self, **fault: object) -> dict[str, Any]:
        status, answer, _ = self.call("POST", "/__sandbox__/faults", json.dumps(fault).encode())
        assert status == 201, answer
        return answer

    def requests(self, query: str = "") -> list[dict[str, Any]]:
        return self.call("GET", f"/__sandbox__/requests?{query}")[1]["requests"]

    def raw(self, timeout: float = DEADLINE) -> socket.socket:
        """Post the body, and return the socket."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout)
        head = f"POST /archive/invoices HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n"
        connection.sendall(head.encode() + BODY)
        return connection


def read_all(connection: socket.socket) -> bytes:
    chunks = []
    while chunk := connection.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Client]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "relay.sandbox", str(port)], start_new_session=True)
    try:
        until(lambda: process.poll() is not None or http_get(port, "/__sandbox__/requests?limit=0"))
        assert process.poll() is None
        yield Client(port)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(DEADLINE)


@pytest.fixture
def client(sandbox: Client) -> Client:
    """Return a sandbox that has seen nothing and does nothing wrong."""
    sandbox.call("DELETE", "/__sandbox__/faults")
    sandbox.call("DELETE", "/__sandbox__/requests")
    return sandbox


def last(client: Client) -> dict[str, Any]:
    return client.requests()[-1]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/archive", "/archive/", "/archive/a/b%20c?d=e"])
def test_any_method_and_path_is_taken_and_noted(client: Client, method: str, path: str) -> None:
    status, answer, _ = client.call(method, path, BODY, Authorization="Bearer top-secret")
    assert (status, answer["ok"]) == (200, True)
    noted = last(client)
    assert (noted["vendor"], noted["method"], noted["body"]) == ("archive", method, BODY.decode())
    assert noted["path"] in ("/", "/a/b c")
    assert noted["headers"]["authorization"] == "Bearer ***"
    assert (noted["stored"], noted["repeat"], noted["status"]) == (True, False, 200)


def test_the_same_key_and_body_is_answered_the_same_and_marked(client: Client) -> None:
    first = client.call("POST", "/archive/invoices", BODY, Idempotency_Key="k1")[1]
    assert client.call("POST", "/archive/invoices", BODY, Idempotency_Key="k1")[1] == first
    assert client.call("POST", "/archive/invoices", BODY, Idempotency_Key="k2")[1] != first
    assert [(r["idempotency_key"], r["stored"], r["repeat"]) for r in client.requests()] == [
        ("k1", True, False), ("k1", False, True), ("k2", True, False),
    ]  # fmt: skip


def test_the_same_key_with_another_body_is_refused(client: Client) -> None:
    client.call("POST", "/archive/invoices", BODY, Idempotency_Key="k")
    assert client.call("POST", "/archive/invoices", b"{}", Idempotency_Key="k")[0] == 422
    assert (last(client)["stored"], last(client)["repeat"]) == (False, False)


def test_keys_are_each_vendors_own(client: Client) -> None:
    client.call("POST", "/archive", BODY, Idempotency_Key="k")
    assert client.call("POST", "/sms", b"{}", Idempotency_Key="k")[0] == 200


def test_the_log_is_paged_and_filtered(client: Client) -> None:
    for vendor in ("archive", "sms", "archive"):
        client.call("POST", f"/{vendor}", BODY)
    _, page, _ = client.call("GET", "/__sandbox__/requests?limit=2")
    assert (len(page["requests"]), page["more"]) == (2, True)
    assert len(client.requests(f"since={page['next']}")) == 1
    assert [request["vendor"] for request in client.requests("vendor=sms")] == ["sms"]


def test_hang_answers_nothing_until_the_client_leaves(client: Client) -> None:
    client.fault(fault="hang")
    with client.raw(timeout=0.2) as connection, pytest.raises(TimeoutError):
        connection.recv(1)
    assert (last(client)["fault"], last(client)["stored"], last(client)["status"]) == ("hang", False, None)


def test_hang_for_some_time_hangs_up(client: Client) -> None:
    client.fault(fault="hang", seconds=0.05)
    with client.raw() as connection:
        assert read_all(connection) == b""


def test_accept_then_hang_has_stored_it(client: Client) -> None:
    client.fault(fault="hang", seconds=0.05, after_storing=True)
    with client.raw() as connection:
        read_all(connection)
    assert last(client)["stored"]


@pytest.mark.parametrize("stored", [False, True])
def test_reset_is_a_reset_and_not_an_end(client: Client, stored: bool) -> None:
    client.fault(fault="reset", after_storing=stored)
    with client.raw() as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert last(client)["stored"] is stored


@pytest.mark.parametrize(("status", "retry_after"), [(500, None), (503, 7), (401, None)])
def test_status_is_that_status(client: Client, status: int, retry_after: int | None) -> None:
    client.fault(fault="status", status=status, retry_after=retry_after)
    seen, _, headers = client.call("POST", "/archive", BODY)
    assert (seen, headers["retry-after"]) == (status, retry_after and str(retry_after))
    assert (last(client)["status"], last(client)["stored"]) == (status, False)


@pytest.mark.parametrize("retry_after", [None, 3, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_throttle_is_a_429_with_or_without_a_time(client: Client, retry_after: object) -> None:
    client.fault(fault="throttle", retry_after=retry_after)
    status, _, headers = client.call("POST", "/archive", BODY)
    assert (status, headers["retry-after"]) == (429, None if retry_after is None else str(retry_after))


def test_html_comes_with_200(client: Client) -> None:
    client.fault(fault="html", after_storing=True)
    status, text, headers = client.call("POST", "/archive", BODY)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert text.startswith(b"<!DOCTYPE html>")
    assert last(client)["stored"]


def test_truncated_promises_more_than_it_sends(client: Client) -> None:
    client.fault(fault="truncated")
    with client.raw() as connection:
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert 0 < len(body) < length
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    assert last(client)["stored"]


def test_slow_headers_come_in_pieces_and_whole_at_last(client: Client) -> None:
    client.fault(fault="slow_headers", seconds=0.2)
    pieces = []
    with client.raw() as connection:
        while piece := connection.recv(65536):
            pieces.append(piece)
    assert len(pieces) > 3
    assert json.loads(b"".join(pieces).partition(b"\r\n\r\n")[2])["ok"] is True


def test_refuse_closes_the_port_and_opens_it_again(client: Client) -> None:
    kept_alive = http.client.HTTPConnection("127.0.0.1", client.port, timeout=DEADLINE)
    kept_alive.request("GET", "/archive")
    kept_alive.getresponse().read()
    answer = client.fault(fault="refuse", seconds=0.3, vendor="archive")
    assert answer["vendor"] is None  # it cannot be for one alone

    def refused() -> bool:
        try:
            client.raw().close()
        except ConnectionRefusedError:
            return True
        return False

    until(refused)
    with contextlib.closing(kept_alive):
        assert kept_alive.sock.recv(1) == b""
    until(lambda: http_get(client.port, "/archive"))


def paused_at(client: Client) -> list[str]:
    return [paused["at"] for paused in client.call("GET", "/__sandbox__/paused")[1]]


def test_a_request_is_announced_at_each_point_and_held_there_until_it_is_released(client: Client) -> None:
    points = ["before-read", "stored", "before-answer", "answered"]
    for point in points:
        client.fault(fault="pause", at=point, vendor="archive")
    with client.raw() as connection:
        for number, point in enumerate(points):
            until(lambda point=point: paused_at(client) == [point])
            assert len(client.requests()) == (number > 1)  # the log is written between "stored" and "before-answer"
            client.call("POST", "/__sandbox__/release")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        until(lambda: paused_at(client) == [])


@pytest.mark.parametrize(("point", "arrives"), [("before-read", False), ("stored", True), ("before-answer", True)])
def test_who_leaves_is_held_no_longer_and_unread_if_he_left_before_that(
    client: Client, point: str, arrives: bool
) -> None:
    client.fault(fault="pause", at=point)
    with client.raw():
        until(lambda: paused_at(client) == [point])
    until(lambda: paused_at(client) == [])
    client.call("POST", "/archive/invoices", BODY)
    assert len(client.requests()) == 1 + arrives


def test_a_pause_for_some_time_ends_by_itself(client: Client) -> None:
    client.fault(fault="pause", at="before-answer", seconds=0.05)
    assert client.call("POST", "/archive/invoices", BODY)[0] == 200


def test_a_fault_is_for_its_vendor_path_and_times(client: Client) -> None:
    client.fault(fault="status", vendor="archive", path="/invoices", times=2)
    asked = ["/sms/invoices", "/archive/orders", "/archive/invoices", "/archive/invoices/7", "/archive/invoices"]
    assert [client.call("POST", path)[0] for path in asked] == [200, 200, 500, 500, 200]


def test_faults_are_listed_with_what_is_left_and_taken_back(client: Client) -> None:
    client.fault(fault="html", times=3)
    client.call("POST", "/archive")
    assert [(f["fault"], f["times"]) for f in client.call("GET", "/__sandbox__/faults")[1]] == [("html", 2)]
    client.call("DELETE", "/__sandbox__/faults")
    assert client.call("POST", "/archive")[1]["ok"] is True


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"fault": "hnag"}', "hnag"),
        (b'{"fault": "hang", "vendors": "sms"}', "vendors"),
        (b'{"vendor": "sms"}', "fault"),
        (b"hang", "not JSON"),
    ],
)
def test_a_fault_that_is_none_is_refused(client: Client, body: bytes, message: str) -> None:
    status, answer, _ = client.call("POST", "/__sandbox__/faults", body)
    assert status == 422
    assert message in answer["error"]
    assert client.call("GET", "/__sandbox__/faults")[1] == []
