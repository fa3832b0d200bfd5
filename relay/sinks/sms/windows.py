"""The hours of the week in which people may be texted: `10:00-20:00`, `mon-fri 09:00-20:00`, or several of these."""

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from relay.model import Record

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(_DAYS)
_WINDOW = re.compile(
    rf"(?:(?P<days>(?:{_DAY})(?:-(?:{_DAY}))?(?:,(?:{_DAY})(?:-(?:{_DAY}))?)*)\s+)?"
    r"(?P<opens>(?:[01]\d|2[0-3]):[0-5]\d)\s*-\s*(?P<closes>(?:[01]\d|2[0-3]):[0-5]\d|24:00)",
    re.ASCII | re.IGNORECASE,
)
_EXAMPLES: Final = 'such as 10:00-20:00, "mon-fri 09:00-20:00", or a list: [mon-fri 09:00-20:00, "sat,sun 10:00-18:00"]'


class Hours(Record):
    """Hours on some days, in minutes of the day. Over midnight they belong to the day on which they begin."""

    days: frozenset[int]  # 0: Monday
    opens: int
    closes: int

    def is_open(self, local: datetime) -> bool:
        """Return whether a moment is within them."""
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.opens < self.closes:
            return today in self.days and self.opens <= minute < self.closes
        return (today in self.days and minute >= self.opens) or ((today - 1) % 7 in self.days and minute < self.closes)

    def next_opening(self, local: datetime) -> datetime:
        """Return when they begin next, after a moment."""
        days = [local.date() + timedelta(days=ahead) for ahead in range(8)]
        begins = time(*divmod(self.opens, 60))
        openings = (datetime.combine(day, begins, local.tzinfo) for day in days if day.weekday() in self.days)
        return next(opening for opening in openings if opening.timestamp() > local.timestamp())


class Window(Record):
    """Hours of the week. Times are unix seconds."""

    hours: Sequence[Hours]

    def next_open(self, now: float, zone: ZoneInfo) -> float:
        """Return when it is open next in a zone: `now` where it is open."""
        local = datetime.fromtimestamp(now, zone)
        if any(hours.is_open(local) for hours in self.hours):
            return now
        return min(hours.next_opening(local).timestamp() for hours in self.hours)


def parse_window(lines: Sequence[str]) -> Window:
    """Read what the YAML says. Raise ValueError saying what would be right."""
    return Window(hours=tuple(map(parse_hours, lines)))


def parse_hours(text: str) -> Hours:
    """Read "mon-fri 09:00-20:00", or hours of every day. Raise ValueError saying what would be right."""
    match = _WINDOW.fullmatch(text.strip())
    opens, closes = (_minutes(match["opens"]), _minutes(match["closes"])) if match else (0, 0)
    if match is None or opens == closes:
        raise ValueError(f"{text!r} are no hours: write when they begin and end, {_EXAMPLES}")
    return Hours(days=_parse_days(match["days"] or "mon-sun"), opens=opens, closes=closes)


def _parse_days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days |= {(start + ahead) % 7 for ahead in range((end - start) % 7 + 1)}
    return frozenset(days)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
