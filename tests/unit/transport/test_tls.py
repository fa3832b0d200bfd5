"""What TLS says when it fails, in words that lead to what is wrong."""

import asyncio
import errno
import ssl

import pytest

from relay.transport import Session, TransportFailure, call
from relay.transport.tls import describe, prepared, refuses_certificate
from tests.authority import Authority
from tests.servers import TABLE
from tests.servers.scripted import Server
from tests.unit.transport.test_server_behaviours import Here, post

ROWS = {row.behaviour: row for rows in TABLE.values() for row in rows}


def error(reason: str) -> ssl.SSLError:
    made = ssl.SSLError(1, f"[SSL: {reason}] as OpenSSL says it (_ssl.c:1006)")
    made.reason = reason
    return made


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "they speak no HTTP/1.1 there, HTTP/2 only for example"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "they want a client certificate, and got none"),
        ("TLSV1_ALERT_UNKNOWN_CA", "they do not know who issued our client certificate"),
        ("WRONG_VERSION_NUMBER", "they do not speak TLS there"),
        ("UNSAFE_LEGACY_RENEGOTIATION_DISABLED", "their TLS is too old"),
        ("NO_RENEGOTIATION", "they want a second handshake within the connection (renegotiation)"),
    ],
)
def test_a_reason_is_plain_and_keeps_what_openssl_says(reason, said):
    shown = describe(error(reason))
    assert shown.startswith(said)
    assert reason in shown


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True),
        ("SSLV3_ALERT_BAD_CERTIFICATE", True),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", True),
        ("TLSV1_ALERT_UNKNOWN_CA", True),
        ("TLSV1_ALERT_INTERNAL_ERROR", False),
        ("SSLV3_ALERT_UNEXPECTED_MESSAGE", False),
    ],
)
def test_only_what_is_said_of_the_certificate_proves_that_nothing_was_read(reason, refused):
    assert refuses_certificate(error(reason)) == refused
    assert not refuses_certificate(ConnectionResetError("they closed the connection"))


@pytest.mark.parametrize(
    ("behaviour", "kind", "said"),
    [
        ("the alert no_application_protocol", "tls", "they speak no HTTP/1.1 there, HTTP/2 only for example"),
        ("the alert unrecognized_name", "tls", "they have no host of this name there"),
        ("it wants a client certificate, TLS 1.3", "tls", "they want a client certificate, and got none"),
        ("a name that TLS cannot say", "tls", "its name cannot be asked for by TLS"),
        ("plain HTTP at the address", "tls", "they do not speak TLS there"),
        ("HTTP/2 within TLS", "protocol", "they speak HTTP/2 only, and HTTP/1.1 is wanted"),
        ("an HTTP/2 frame", "protocol", "they speak HTTP/2 only, and HTTP/1.1 is wanted"),
    ],
)
def test_a_person_is_told_what_is_wrong_there(behaviour, kind, said, tmp_path, monkeypatch):
    authority, row = Authority(tmp_path), ROWS[behaviour]
    context = prepared(authority.client_context())
    monkeypatch.setattr("relay.transport.connector._default_tls", lambda: context)

    async def scenario():
        async with Server(row).open(authority) as server, Session(Here()) as calls:
            scheme = "https" if row.https else "http"
            return await call(calls, post(f"{scheme}://{row.host}:{server.port}/1", 60))

    answer = asyncio.run(scenario())
    assert isinstance(answer, TransportFailure)
    assert answer.kind == kind
    assert said in answer.reason


def test_what_the_system_says_has_neither_a_number_nor_the_name_of_a_class() -> None:
    assert describe(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")) == "connection reset by peer"
    assert describe(ConnectionResetError("they closed the connection")) == "they closed the connection"
