"""What is sent by mail: addresses, headers that nobody can add to, the same bytes each time; and the settings."""

import email
import email.policy

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import RejectDelivery, SkipDelivery
from relay.masking import mask_secrets
from relay.model import Delivery
from relay.sinks.email.addresses import parse_address
from relay.sinks.email.content import make_envelope, read_content
from relay.sinks.email.sink import EmailSink
from tests.unit.sinks.configured import configured, mistakes, rendered

SERVER = {"type": "email", "host": "smtp.example.com", "sender": "Acme relay <relay@acme.example>"}
DELIVERY = Delivery(
    id="d1", event_id="e1.0", source="acme", route="won", sink="mail", content=b"", accepted_at=1_790_000_000_000,
    created_at=1_790_000_000_100, attempts=0, deaths=0, token="t1", sending=False,
)  # fmt: skip
WON = {"subject": "Won", "text": "A deal is won", "recipients": "anna@example.com"}


def sink(**settings) -> EmailSink:
    return EmailSink("mail", EmailSink.Settings(**{**SERVER, **settings}))


@pytest.fixture
def envelope_of(delivery):
    def envelope_of(params, **settings):
        mail = sink(**settings)
        return make_envelope(read_content(mail.content(params)), mail._settings, delivery())

    return envelope_of


def parsed(envelope):
    return email.message_from_bytes(envelope.message, policy=email.policy.default)


def test_a_message_says_who_it_is_from_and_for_and_which_delivery_it_is(envelope_of):
    envelope = envelope_of({**WON, "cc": ["Boris <boris@example.com>"], "reply_to": "sales@acme.example"})
    message = parsed(envelope)
    assert (envelope.sender, envelope.recipients) == ("relay@acme.example", ("anna@example.com", "boris@example.com"))
    assert {name: str(message[name]) for name in ("From", "To", "Cc", "Reply-To", "Subject", "Auto-Submitted")} == {
        "From": "Acme relay <relay@acme.example>",
        "To": "anna@example.com",
        "Cc": "Boris <boris@example.com>",
        "Reply-To": "sales@acme.example",
        "Subject": "Won",
        "Auto-Submitted": "auto-generated",
    }
    assert message["Message-ID"] == "<0190a8f2-7c1e-5b8d-9e57-4f0f8d1c2b3a@acme.example>"
    assert message.get_content().strip() == "A deal is won"


def test_every_attempt_sends_the_same_bytes(envelope_of):
    both = {**WON, "html": "<p>A deal is won</p>"}
    assert envelope_of(both) == envelope_of(both)
    kinds = [part.get_content_type() for part in parsed(envelope_of(both)).walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]


def test_a_new_content_is_another_message(delivery):
    mail = sink()
    content = read_content(mail.content(WON))
    first, second = (make_envelope(content, mail._settings, delivery(generation=n)) for n in (0, 1))
    assert parsed(first)["Message-ID"] != parsed(second)["Message-ID"]


@settings(max_examples=30, deadline=None)
@given(
    subject=st.text(min_size=1).filter(lambda text: text.strip()),
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>"), max_size=20),
)
def test_nobody_adds_a_header_or_an_addressee(subject, name):
    """Whatever a deal or a person is called, there are these headers and no others, and these addressees."""
    mail = sink(recipients=["anna@example.com"])
    try:
        content = read_content(mail.content({"subject": subject, "text": "x", "cc": [f"{name}<boris@example.com>"]}))
    except RejectDelivery:
        return
    envelope = make_envelope(content, mail._settings, DELIVERY)
    assert envelope.message.isascii()
    message = parsed(envelope)
    assert set(message.keys()) == {
        *("Date", "From", "To", "Cc", "Subject", "Message-ID", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    assert envelope.recipients == ("anna@example.com", "boris@example.com")
    assert [address.addr_spec for address in message["Cc"].addresses] == ["boris@example.com"]
    assert max(map(len, envelope.message.splitlines())) <= 998


@pytest.mark.parametrize("text", ["Привет, «Аня»", "a\r\n.\r\nMAIL FROM:<x@y.z>\r\n", "x" * 5000, ".\n..", "a\rb\nc"])
def test_a_text_arrives_as_it_is(envelope_of, text):
    envelope = envelope_of({**WON, "text": text})
    assert parsed(envelope).get_content().split() == text.split()
    assert b"\n" not in envelope.message.replace(b"\r\n", b"")


class View(dict):
    def __getattr__(self, name):
        return self[name]


def test_values_in_html_are_escaped_and_in_the_subject_they_are_not():
    config = configured(
        "sinks: {mail: {type: email, host: smtp.example.com, sender: a@b.example, recipients: c@d.example}}\n"
        "routes: [{name: won, on: status_lead, to: mail, subject: '{{ lead.name }}', html: '<b>{{ lead.name }}</b>'}]"
    )
    assert rendered(config, lead=View(name="<x> & Co")) == {"subject": "<x> & Co", "html": "<b>&lt;x&gt; &amp; Co</b>"}


ADDRESSES = [
    ("anna@example.com", "anna@example.com"),
    (" Anna <anna@example.com> ", "Anna <anna@example.com>"),
    ('"Anna, sales" <anna@example.com>', '"Anna, sales" <anna@example.com>'),
    ("a.b+c@пример.рф", "a.b+c@xn--e1afmkfd.xn--p1ai"),
]


@pytest.mark.parametrize(("text", "address"), ADDRESSES)
def test_addresses_are_read_as_people_write_them(text, address):
    found = parse_address(text)
    assert (str(found) if found.display_name else found.addr_spec) == address


@pytest.mark.parametrize(
    "text", ["", "anna", "@example.com", "anna@", "a b@example.com", "анна@example.com", "a..b@example.com", "a@b@c.d",
             "a@b.c>\r\nRCPT TO:<d@e.f", "a@-b.c", "a@b..c", "<a@b.c> d"]
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="no e-mail address"):
        parse_address(text)


@pytest.mark.parametrize(
    ("params", "error", "problem"),
    [
        ({"subject": "\n"}, RejectDelivery, "subject: there is none"),
        ({"text": " "}, RejectDelivery, "neither text nor html"),
        ({"text": ["a"]}, RejectDelivery, "text: it takes a text"),
        ({"recipients": "anna"}, RejectDelivery, "recipients: it is no e-mail address"),
        ({"cc": 5}, RejectDelivery, "cc: it takes an address, or a list of them"),
        ({"recipients": ["a@b.example"] * 101}, RejectDelivery, "101 addresses are more"),
        ({"recipients": ""}, SkipDelivery, "there is no address"),
        ({"recipients": None}, SkipDelivery, "there is no address"),
    ],
)
def test_what_can_never_be_sent_is_refused_and_what_is_for_nobody_skipped(params, error, problem):
    with pytest.raises(error, match=problem):
        sink().content({**WON, **params})


def test_without_any_address_it_says_so():
    with pytest.raises(RejectDelivery, match="neither the route nor the sink has any"):
        sink().content({"subject": "Won", "text": "x"})


def test_addresses_may_stand_in_a_text():
    assert read_content(sink().content({**WON, "recipients": "a@b.example; c@d.example,\ne@f.example"})).recipients == (
        "a@b.example", "c@d.example", "e@f.example"
    )  # fmt: skip


def test_what_is_shown_has_no_password():
    mail = sink(login="relay", password="s3cret-password", recipients="anna@example.com")
    shown = mail.describe(mail.content({"subject": "Won", "text": "x", "html": "<p>x</p>"}))
    assert shown == {
        "server": "smtp.example.com:587", "tls": "starttls", "from": "Acme relay <relay@acme.example>",
        "to": ["anna@example.com"], "subject": "Won", "text": "x", "html": "<p>x</p>",
    }  # fmt: skip
    for sent in ("s3cret-password", "AHJlbGF5AHMzY3JldC1wYXNzd29yZA==", "czNjcmV0LXBhc3N3b3Jk"):
        assert sent not in mask_secrets(f"535 {sent} is wrong", mail.hidden_anywhere)
    assert "s3cret" not in msgspec.json.encode(shown).decode()


@pytest.mark.parametrize(
    ("tls", "port", "server"),
    [("starttls", None, 587), ("tls", None, 465), ("none", None, 25), ("none", 1025, 1025)],
)
def test_the_port_follows_from_tls(tls, port, server):
    assert sink(host="127.0.0.1", tls=tls, port=port)._settings.address == ("127.0.0.1", server)


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("host: smtp.example.com", "f:2:9: sender is missing"),
        ("host: 'smtp://x', sender: a@b.example", "f:2:35: host: 'smtp://x' is "),
        ("host: h.example, sender: a", "f:2:54: sender: it is no e-mail address: write anna@example.com, or Anna"),
        ("host: h.example, sender: a@b.example, tls: none", "f:2:72: tls: none shows everybody on the way"),
        ("host: h.example, sender: a@b.example, from: c@d.example", "f:2:67: unknown key from, write sender"),
        ("host: h.example, sender: a@b.example, to: c@d.example", "f:2:67: unknown key to, write recipients"),
        ("host: h.example, sender: a@b.example, recipients: c", "f:2:79: recipients: it is no e-mail address"),
        ("host: h.example, sender: a@b.example, login: a", "f:2:15: mail: give login and password, or neither"),
        ("host: h.example, sender: a@b.example, port: 0", "f:2:73: port: must be greater than or equal to 1"),
        ("host: h.example, sender: a@b.example, proxy: 'http://p'", "f:2:74: proxy: mail leaves by SMTP"),
    ],
)
def test_each_mistake_is_told_at_its_place(written, mistake):
    assert [told[: len(mistake)] for told in mistakes(f"sinks: {{mail: {{type: email, {written}}}}}")] == [mistake]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_this_machines_own_server_needs_no_tls(host):
    assert sink(host=host, tls="none")._settings.tls == "none"
    assert sink(tls="none", allow_unencrypted=True)._settings.tls == "none"
