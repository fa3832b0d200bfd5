"""A text message: what is stored of it, and what a gateway gets to send."""

import re
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from relay.errors import RejectDelivery
from relay.model import Record
from relay.sinks.sms.segments import count_segments
from relay.timezones import suggest_timezone

_SENDER = re.compile(r"\+?[0-9]{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 ._&-]{1,11}", re.ASCII)
_UTC: Final = ZoneInfo("UTC")


class SmsContent(Record, omit_defaults=True):
    """What is stored, without credentials. Where a field is empty, the sink's setting applies."""

    phone: str  # E.164
    text: str
    sender: str = ""
    timezone: str = ""  # the recipient's
    account_timezone: str = ""  # the source's


class Message(Record, dict=True):
    """What a gateway sends. `id` is the delivery's, the same at every attempt."""

    id: str
    phone: str  # E.164
    text: str
    sender: str  # "": the gateway's default
    timezone: str = ""
    account_timezone: str = ""
    maybe_sent_before: bool = False  # an earlier attempt may have arrived

    @cached_property
    def segments(self) -> int:
        """Return how many segments the text has."""
        return count_segments(self.text)

    @property
    def digits(self) -> str:
        """Return the number without its +."""
        return self.phone.removeprefix("+")

    def zone(self, sink_zone: ZoneInfo | None) -> ZoneInfo:
        """Return the time zone of its hours: the recipient's, else the sink's, else the account's."""
        if self.timezone:
            return ZoneInfo(self.timezone)
        return sink_zone or (ZoneInfo(self.account_timezone) if self.account_timezone else _UTC)


read_content = msgspec.json.Decoder(SmsContent).decode


def check_sender(name: str) -> str:
    """Return a sender. Raise ValueError where phones cannot show it."""
    if not _SENDER.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a sender: at most 11 Latin letters and digits, or a number")
    return name


def parse_timezone(value: object) -> str:
    """Return the name of a rendered time zone, "" where it is empty. Raise RejectDelivery."""
    name = "" if value is None else str(value).strip()
    try:
        return ZoneInfo(name).key if name else ""
    except (KeyError, ValueError, OSError):
        raise RejectDelivery(f"timezone: {name!r:.60} is not a time zone, {suggest_timezone(name)}") from None
