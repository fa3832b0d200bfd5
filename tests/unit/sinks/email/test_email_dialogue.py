"""The dialogue with a mail server over a socket: what each ending of it means, at every step."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import pytest

from relay.model import Outcome
from relay.sandbox.app import FakeVendors
from relay.sandbox.faults import InjectedFault
from relay.sandbox.smtp import VENDOR, MailPort
from relay.sandbox.vendors.smtp import FakeMailServer
from relay.sinks.email import dialogue, reuse
from relay.sinks.email.sink import EmailSink
from relay.sinks.tools import Tools
from relay.transport import Session, connector
from tests.authority import Authority
from tests.unit.sinks.scripted_vendor import MemoryState

SINK = {"type": "email", "host": "127.0.0.1", "tls": "none", "sender": "relay@acme.example", "timeout": "5s"}
WON = {"subject": "Won", "text": "A deal is won\n.\nBye", "recipients": "anna@example.com"}
LOGIN = {"login": "relay", "password": "s3cret-password"}


async def _nothing(seconds: float) -> None:
    raise AssertionError("no port is to be closed")


class Mailbox:
    """The fake mail server of one test."""

    def __init__(self) -> None:
        self.sandbox = FakeVendors(_nothing)

    @property
    def server(self) -> FakeMailServer:
        vendor = self.sandbox.vendor(VENDOR)
        assert isinstance(vendor, FakeMailServer)
        return vendor

    def fault(self, **fault) -> None:
        self.sandbox.faults_in_force.add(InjectedFault(vendor=VENDOR, **fault))


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def _trust(authority, monkeypatch) -> None:
    context = authority.client_context()
    for module in (connector, dialogue):
        monkeypatch.setattr(module, "plain_tls", lambda: context)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def talk(mailbox, delivery) -> Callable:
    """Return a function that lets a sink do something with the mail server, over a socket."""

    def talk(act, context=None, **settings):
        async def run():
            port = MailPort(mailbox.sandbox, 0, context, from_start=settings.get("tls") == "tls")
            await port.open()
            sink = EmailSink("mail", EmailSink.Settings(**{**SINK, "port": port.port, **settings}))
            async with Session() as session:
                tools = Tools(session=session, shared=MemoryState(), now=lambda: 1_790_000_000.0)
                try:
                    return await act(sink, tools)
                finally:
                    await port.close()

        return asyncio.run(run())

    return talk


@pytest.fixture
def send(talk, delivery) -> Callable:
    def send(params=None, attempts=0, **more):
        async def act(sink, tools):
            return await sink.send(delivery(sink.content({**WON, **(params or {})}), attempts=attempts), tools)

        return talk(act, **more)

    return send


def test_a_message_arrives_with_its_dots(send, mailbox):
    result = send()
    assert (result.outcome, result.reason, result.status) == (Outcome.DELIVERED, "accepted", 250)
    (mail,) = mailbox.server.mails
    assert (mail.sender, mail.recipients) == ("relay@acme.example", ("anna@example.com",))
    assert mail.message.endswith(b"\r\n\r\nA deal is won\r\n.\r\nBye\r\n")


def test_a_long_message_arrives_whole(send, mailbox):
    lines = [f"{n:060}" for n in range(12_000)]
    assert send({"text": "\n".join(lines)}).outcome is Outcome.DELIVERED
    assert mailbox.server.mails[0].message.split(b"\r\n\r\n", 1)[1].decode().split() == lines


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_it_logs_in_over_tls(send, mailbox, authority, monkeypatch, tls, mechanism):
    monkeypatch.setattr(dialogue, "_MECHANISMS", (mechanism,))
    result = send(context=authority.server_context("127.0.0.1"), tls=tls, **LOGIN)
    assert result.outcome is Outcome.DELIVERED
    assert len(mailbox.server.mails) == 1


# What is wrong with the sink: nothing leaves until a person has mended it.


def test_a_wrong_login_blocks(send, mailbox):
    result = send(login="relay", password="wrong")
    assert (result.outcome, result.status) == (Outcome.BLOCKED, 535)
    assert result.reason.endswith("check login and password")
    assert mailbox.server.mails == []


def test_a_certificate_of_somebody_else_blocks(send, authority):
    for tls in ("starttls", "tls"):
        result = send(context=authority.server_context("mail.example.com"), tls=tls)
        assert (result.outcome, "certificate" in result.reason.lower()) == (Outcome.BLOCKED, True)


def test_no_login_leaves_where_tls_is_not_offered(send, mailbox):
    result = send(tls="starttls", **LOGIN)
    assert result.outcome is Outcome.BLOCKED
    assert "offers no STARTTLS: write tls: tls" in result.reason


def test_a_sender_that_is_not_ours_blocks(send):
    result = send(sender="nobody@acme.example")
    assert (result.outcome, result.status, "check sender" in result.reason) == (Outcome.BLOCKED, 553, True)


@pytest.mark.parametrize("path", ["/connect", "/ehlo"])
def test_what_is_no_mail_server_blocks(send, mailbox, path):
    mailbox.fault(fault="html", path=path)
    result = send()
    assert result.outcome is Outcome.BLOCKED
    assert "this is no mail server" in result.reason
    assert "check host, port and tls" in result.reason


# What is about one message or address.


def test_an_address_that_they_do_not_know_is_rejected(send, mailbox):
    result = send({"recipients": "unknown@example.com"})
    assert (result.outcome, result.status) == (Outcome.REJECTED, 550)
    assert mailbox.server.mails == []


def test_the_others_get_it_and_each_refused_address_has_a_line(send, mailbox):
    result = send({"recipients": "unknown@example.com, anna@example.com", "cc": "unknown@example.org"})
    assert result.outcome is Outcome.DELIVERED
    assert result.reason.startswith("accepted for 1 of 3 addresses, refused: 550 5.1.1 no such user here")
    assert [line.partition(": ")[2][:9] for line in result.response.splitlines()[:2]] == ["550 5.1.1"] * 2
    assert mailbox.server.mails[0].recipients == ("anna@example.com",)


def test_an_address_that_is_busy_holds_the_others_up_for_three_attempts_so_nobody_gets_it_twice(send, mailbox):
    for attempts in range(3):
        assert send({"recipients": "busy@example.com, anna@example.com"}, attempts=attempts).outcome is Outcome.RETRY
    assert mailbox.server.mails == []
    result = send({"recipients": "busy@example.com, anna@example.com"}, attempts=3)
    assert (result.outcome, result.reason[:30]) == (Outcome.DELIVERED, "accepted for 1 of 2 addresses,")
    assert send({"recipients": "busy@example.com"}, attempts=9).outcome is Outcome.RETRY


def test_a_message_that_they_refuse_is_rejected(send):
    result = send({"subject": "spam"})
    assert (result.outcome, result.reason) == (Outcome.REJECTED, "at message: 554 5.7.1 this looks like spam")


@pytest.mark.parametrize(
    ("path", "code", "outcome"),
    [
        ("/connect", 554, Outcome.BLOCKED),
        ("/connect", 421, Outcome.RETRY),
        ("/ehlo", 502, Outcome.BLOCKED),
        ("/auth", 454, Outcome.RETRY),
        ("/auth", 535, Outcome.BLOCKED),
        ("/mail", 451, Outcome.RETRY),
        ("/mail", 530, Outcome.BLOCKED),
        ("/mail", 552, Outcome.REJECTED),
        ("/rcpt", 421, Outcome.RETRY),
        ("/rcpt", 530, Outcome.BLOCKED),
        ("/rcpt", 550, Outcome.REJECTED),
        ("/data", 451, Outcome.RETRY),
        ("/data", 554, Outcome.REJECTED),
        ("/message", 452, Outcome.RETRY),
        ("/message", 552, Outcome.REJECTED),
    ],
)
def test_the_step_and_the_code_decide(send, mailbox, path, code, outcome):
    mailbox.fault(fault="status", status=code, path=path)
    assert send(**LOGIN).outcome is outcome
    assert mailbox.server.mails == []


# What is lost: before the final dot it is sent again; after it, nobody knows.


@pytest.mark.parametrize("fault", ["reset", "hang", "truncated"])
@pytest.mark.parametrize("path", ["/connect", "/ehlo", "/auth", "/mail", "/rcpt", "/data"])
def test_before_the_final_dot_nothing_has_arrived(send, mailbox, path, fault):
    mailbox.fault(fault=fault, path=path, **({"seconds": 0.01} if fault == "hang" else {}))
    result = send(**LOGIN)
    assert result.outcome is Outcome.RETRY
    assert mailbox.server.mails == []


@pytest.mark.parametrize("after_storing", [True, False])
@pytest.mark.parametrize("fault", ["reset", "hang", "html"])
@pytest.mark.parametrize(
    ("idempotency", "outcome"), [(None, Outcome.UNKNOWN), ("none", Outcome.UNKNOWN), ("honoured", Outcome.RETRY)]
)
def test_after_the_final_dot_idempotency_decides(send, mailbox, fault, after_storing, idempotency, outcome):
    more = {"seconds": 0.01} if fault == "hang" else {}
    mailbox.fault(fault=fault, after_storing=after_storing, **more)
    result = send(idempotency=idempotency)
    assert (result.outcome, result.reason.startswith("after the whole message: ")) == (outcome, True)
    assert len(mailbox.server.mails) == after_storing


def test_a_repetition_has_the_same_message_id(send, mailbox):
    mailbox.fault(fault="reset", after_storing=True)
    send(idempotency="honoured")
    assert send(idempotency="honoured").outcome is Outcome.DELIVERED
    assert [one.repeat for one in mailbox.sandbox.log.page(0, 9, VENDOR).requests] == [False, True]


def test_a_server_that_never_answers_is_left_when_the_time_is_over(send, mailbox):
    mailbox.fault(fault="hang", path="/mail")
    result = send(timeout="100ms")
    assert (result.outcome, result.reason) == (Outcome.RETRY, "at mail: no answer in time")


def test_nobody_listens():
    with contextlib.closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))

        async def run():
            sink = EmailSink("mail", EmailSink.Settings(**{**SINK, "port": unused.getsockname()[1]}))
            async with Session() as session:
                return await sink.probe(Tools(session=session, shared=MemoryState(), now=lambda: 0))

        probe = asyncio.run(run())
        assert (probe.ok, "cannot connect to 127.0.0.1:" in probe.message) == (False, True)


def test_plain_text_after_starttls_is_nobodys_we_listen_to(authority, delivery):
    """Commands that somebody on the way writes behind the 220 must not be taken for what the server says in TLS."""

    async def run():
        async def inject(reader, writer):
            writer.write(b"220 mail\r\n")
            await reader.readline()
            writer.write(b"250-mail\r\n250 STARTTLS\r\n")
            await reader.readline()
            writer.write(b"220 go on\r\n250 AUTH PLAIN\r\n")
            await reader.read()
            writer.close()
            left.set()

        left = asyncio.Event()
        server = await asyncio.start_server(inject, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sink = EmailSink("mail", EmailSink.Settings(**{**SINK, "port": port, "tls": "starttls", **LOGIN}))
        async with Session() as session:
            tools = Tools(session=session, shared=MemoryState(), now=lambda: 0)
            try:
                return await sink.send(delivery(sink.content(WON)), tools)
            finally:
                await left.wait()
                server.close()

    result = asyncio.run(run())
    assert result.outcome is Outcome.RETRY
    assert "plain text after STARTTLS" in result.reason


def test_the_probe_logs_in_and_sends_nothing(talk, mailbox, authority):
    async def probe(sink, tools):
        return await sink.probe(tools)

    right = talk(probe, context=authority.server_context("127.0.0.1"), tls="starttls", **LOGIN)
    assert (right.ok, right.message) == (True, "the mail server takes the login, over TLS")
    plain = talk(probe)
    assert (plain.ok, plain.message) == (True, "the mail server takes us without a login, in plain text")
    wrong = talk(probe, login="relay", password="wrong")
    assert (wrong.ok, wrong.message.startswith("at auth: 535 5.7.8 wrong login or password")) == (False, True)
    assert mailbox.server.mails == []


# A burst goes over few connections.


async def send_all(sink, tools, delivery, n, between=None):
    """Send messages one after another; after the first one something else happens."""
    results = []
    for number in range(n):
        results.append(await sink.send(delivery(sink.content(WON), id=f"d{number}"), tools))
        if between is not None and number == 0:
            between()
    return results


def test_a_burst_logs_in_once(talk, mailbox, authority, delivery):
    results = talk(
        lambda sink, tools: send_all(sink, tools, delivery, 5),
        context=authority.server_context("127.0.0.1"), tls="starttls", **LOGIN,
    )  # fmt: skip
    assert [one.outcome for one in results] == [Outcome.DELIVERED] * 5
    assert (len(mailbox.server.mails), mailbox.server.connections) == (5, 1)


def test_what_is_sent_at_once_goes_over_as_many_connections(talk, mailbox, delivery):
    async def act(sink, tools):
        for _ in range(3):
            await asyncio.gather(*[sink.send(delivery(sink.content(WON)), tools) for _ in range(2)])

    talk(act)
    assert (len(mailbox.server.mails), mailbox.server.connections) == (6, 2)


@pytest.mark.parametrize("fault", ["status", "throttle", "reset", "hang", "html"])
def test_a_kept_connection_that_is_not_there_any_more_harms_no_message(talk, mailbox, delivery, fault):
    def break_it():
        mailbox.fault(fault=fault, path="/rset")

    results = talk(lambda sink, tools: send_all(sink, tools, delivery, 3, break_it), timeout="1s")
    assert [one.outcome for one in results] == [Outcome.DELIVERED] * 3
    assert (len(mailbox.server.mails), mailbox.server.connections) == (3, 2)


def test_a_server_that_has_hung_up_meanwhile_harms_no_message(talk, mailbox, delivery):
    """It says 421 and closes, as servers do with what is idle: that is no answer to the next command."""
    mailbox.fault(fault="throttle", path="/quit")

    async def act(sink, tools):
        await sink.send(delivery(sink.content(WON)), tools)
        (dialogue, _), *_ = sink._reusable._waiting
        dialogue._connection._transport.write(b"QUIT\r\n")
        while dialogue.is_open:  # noqa: ASYNC110  the other side closes it, of which there is no event
            await asyncio.sleep(0)
        return await sink.send(delivery(sink.content(WON)), tools)

    assert talk(act).outcome is Outcome.DELIVERED
    assert (len(mailbox.server.mails), mailbox.server.connections) == (2, 2)


@pytest.mark.parametrize("params", [{"recipients": "unknown@example.com"}, {"subject": "spam"}])
def test_a_message_that_is_refused_leaves_the_connection_to_the_next(talk, mailbox, delivery, params):
    async def act(sink, tools):
        refused = await sink.send(delivery(sink.content({**WON, **params})), tools)
        return [refused.outcome, (await sink.send(delivery(sink.content(WON)), tools)).outcome]

    assert talk(act) == [Outcome.REJECTED, Outcome.DELIVERED]
    assert (len(mailbox.server.mails), mailbox.server.connections) == (1, 1)


@pytest.mark.parametrize("fault", ["reset", "hang"])
def test_over_a_kept_connection_too_the_final_dot_decides(talk, mailbox, delivery, fault):
    """What got no answer behind it may be there: it is neither sent again over another connection, nor forgotten."""

    def break_it():
        mailbox.fault(fault=fault, after_storing=True)

    results = talk(lambda sink, tools: send_all(sink, tools, delivery, 3, break_it), timeout="1s", idempotency="none")
    assert [one.outcome for one in results] == [Outcome.DELIVERED, Outcome.UNKNOWN, Outcome.DELIVERED]
    assert "after the whole message" in results[1].reason
    assert (len(mailbox.server.mails), mailbox.server.connections) == (3, 2)


def test_a_connection_is_not_kept_for_ever(talk, mailbox, delivery, monkeypatch):
    monkeypatch.setattr(reuse, "MOST_MESSAGES", 2)
    monkeypatch.setattr(reuse, "IDLE_SECONDS", 0.0)

    async def act(sink, tools):
        for _ in range(2):
            await sink.send(delivery(sink.content(WON)), tools)
            while sink._reusable._waiting:  # noqa: ASYNC110  a timer of the loop ends it
                await asyncio.sleep(0)

    talk(act)
    assert mailbox.server.connections == 2
    monkeypatch.setattr(reuse, "IDLE_SECONDS", 5.0)
    talk(lambda sink, tools: send_all(sink, tools, delivery, 4))
    assert mailbox.server.connections == 4
