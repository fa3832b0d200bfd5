"""One text on its way: what is stored of it, and what a gateway is given."""

import re
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from relay.errors import RejectDelivery
from relay.model import Record
from relay.sinks.sms.segments import segments

_SENDER = re.compile(r"\+?[0-9]{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 ._&-]{1,11}", re.ASCII)
_UTC: Final = ZoneInfo("UTC")


class Content(Record, omit_defaults=True):
    """What is stored: no credentials. Empty means: as the sink says."""

    phone: str  # E.164
    text: str
    sender: str = ""
    timezone: str = ""  # the recipient's
    account_timezone: str = ""  # the source's


class Message(Record, dict=True):
    """What a gateway sends. `id` is the delivery's, the same at every try."""

    id: str
    phone: str  # E.164
    text: str
    sender: str  # "" where the gateway's default is meant
    timezone: str = ""
    account_timezone: str = ""
    again: bool = False  # an earlier try may have arrived

    @cached_property
    def segments(self) -> int:
        """Count the messages that it is on the air."""
        return segments(self.text)

    @property
    def digits(self) -> str:
        """Return the number without its +."""
        return self.phone.removeprefix("+")

    def zone(self, sinks_own: ZoneInfo | None) -> ZoneInfo:
        """Return where its hours are counted: the recipient's zone, the sink's, the account's."""
        if self.timezone:
            return ZoneInfo(self.timezone)
        return sinks_own or (ZoneInfo(self.account_timezone) if self.account_timezone else _UTC)


read_content = msgspec.json.Decoder(Content).decode


def sender_name(name: str) -> str:
    """Return a sender. Raise ValueError where no gateway can show it."""
    if not _SENDER.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a sender: at most 11 Latin letters and digits, or a number")
    return name


def zone_name(given: object) -> str:
    """Return a zone's name as a route rendered it, "" where there is none. Raise RejectDelivery."""
    name = "" if given is None else str(given).strip()
    try:
        return ZoneInfo(name).key if name else ""
    except (KeyError, ValueError, OSError):
        raise RejectDelivery(f"timezone: {name!r:.60} is no time zone: Europe/Moscow is one") from None
