"""A message by mail: what is stored of it, and the bytes that are sent. Pure."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

import msgspec

from relay.errors import RejectDelivery, SkipDelivery
from relay.model import Delivery, Record
from relay.sinks.email.addresses import MAX_ADDRESSES, parse_address, split_addresses, write_address
from relay.sinks.email.settings import EmailSettings

MAX_SUBJECT: Final = 250  # characters
_POLICY: Final = SMTP.clone(cte_type="7bit")  # every server takes it, 8BITMIME or not
_NOT_IN_SUBJECTS: Final = re.compile(r"[\x00-\x20\x7f\x85\u2028\u2029]+")


class EmailContent(Record, omit_defaults=True):
    """The stored content. Where addresses are empty, the sink's apply."""

    subject: str
    text: str = ""
    html: str = ""
    recipients: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()


def make_content(params: Mapping[str, object]) -> EmailContent:
    """Make the content of a route's rendered keys. Raise RejectDelivery, SkipDelivery where it is for nobody."""
    subject = _NOT_IN_SUBJECTS.sub(" ", _text(params, "subject")).strip()
    text, html = _text(params, "text").strip(), _text(params, "html").strip()
    if not subject:
        raise RejectDelivery("subject: there is none")
    if not text and not html:
        raise RejectDelivery("text: there is neither text nor html")
    recipients = _addresses(params, "recipients")
    if "recipients" in params and not recipients:
        raise SkipDelivery("recipients: there is no address")
    return EmailContent(
        subject=subject if len(subject) <= MAX_SUBJECT else f"{subject[: MAX_SUBJECT - 1]}…",
        text=text,
        html=html,
        recipients=recipients,
        cc=_addresses(params, "cc"),
        reply_to=_addresses(params, "reply_to"),
    )


def _text(params: Mapping[str, object], key: str) -> str:
    value = params.get(key)
    if value is None:
        return ""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise RejectDelivery(f"{key}: it takes a text")
    return str(value)


def _addresses(params: Mapping[str, object], key: str) -> tuple[str, ...]:
    if params.get(key) is None:
        return ()
    try:
        addresses = tuple(write_address(parse_address(text)) for text in split_addresses(params[key]))
    except ValueError as error:
        raise RejectDelivery(f"{key}: {error}") from None
    if len(addresses) > MAX_ADDRESSES:
        raise RejectDelivery(f"{key}: {len(addresses)} addresses are more than a message may have ({MAX_ADDRESSES})")
    return addresses


class Envelope(Record):
    """What a mail server is given: who it is from and for, and the message with its headers."""

    sender: str
    recipients: tuple[str, ...]
    message: bytes


def make_envelope(content: EmailContent, settings: EmailSettings, delivery: Delivery) -> Envelope:
    """Make the message of a delivery: the same bytes at every attempt, as long as the settings are the same."""
    sender = parse_address(settings.sender)
    to, cc = addressees(content, settings)
    message = EmailMessage(policy=_POLICY)
    message["Date"] = datetime.fromtimestamp(delivery.created_at / 1000, UTC)
    message["From"] = sender
    message["To"] = to
    if cc:
        message["Cc"] = cc
    if reply_to := _parsed(content.reply_to or settings.reply_to):
        message["Reply-To"] = reply_to
    message["Subject"] = content.subject
    message["Message-ID"] = f"<{delivery.key}@{sender.domain}>"  # by which a repetition is told
    message["Auto-Submitted"] = "auto-generated"  # so nobody's "out of office" answers it (RFC 3834)
    _fill(message, content)
    if message.is_multipart():
        message.set_boundary(f"=_{hashlib.sha256(delivery.key.encode()).hexdigest()[:32]}")
    recipients = dict.fromkeys(address.addr_spec for address in (*to, *cc))
    return Envelope(sender=sender.addr_spec, recipients=tuple(recipients), message=bytes(message))


def _fill(message: EmailMessage, content: EmailContent) -> None:
    if not content.html:
        message.set_content(content.text)
    elif not content.text:
        message.set_content(content.html, subtype="html")
    else:
        message.set_content(content.text)
        message.add_alternative(content.html, subtype="html")


def addressees(content: EmailContent, settings: EmailSettings) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Return who a message is for, and who gets a copy."""
    return _parsed(content.recipients or settings.recipients or ()), _parsed(content.cc or settings.cc)


def _parsed(addresses: tuple[str, ...]) -> tuple[Address, ...]:
    return tuple(map(parse_address, addresses))


read_content: Final[Callable[[bytes], EmailContent]] = msgspec.json.Decoder(EmailContent).decode
