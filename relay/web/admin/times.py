"""Show times: how long ago they are, and the exact one on hover. The browser puts both into its own time zone."""

from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from relay.timefmt import format_time
from relay.translation.messages import Translator, message

UNITS: Final = (
    (86_400_000, message("{n} d ago"), message("in {n} d")),
    (3_600_000, message("{n} h ago"), message("in {n} h")),
    (60_000, message("{n} min ago"), message("in {n} min")),
    (1_000, message("{n} s ago"), message("in {n} s")),
)
"""Units in milliseconds, with what is said of a time that is past and of one that is to come."""


def show_ago(ms: int | None, now: int, translator: Translator) -> Markup:
    """Return a time as its distance from now."""
    return Markup() if ms is None else _tag(ms, "ago", relative(ms, now, translator))


def show_clock(ms: int | None) -> Markup:
    """Return a time to the millisecond."""
    return Markup() if ms is None else _tag(ms, "clock", format_time(ms)[:23])


def show_minute(ms: int | None) -> Markup:
    """Return a time to the minute."""
    return Markup() if ms is None else _tag(ms, "minute", format_time(ms)[:16])


def show_second(ms: int) -> str:
    """Return the time of day to the second."""
    return format_time(ms)[11:19]


def relative(ms: int, now: int, translator: Translator) -> str:
    """Say how far a time is from now, in the largest unit of which it is one at least."""
    distance = abs(now - ms)
    for size, ago, to_come in UNITS:
        if distance >= size:
            said = ago if ms <= now else to_come
            return translator.text(said.text, n=distance // size)
    return translator.text("just now")


def _tag(ms: int, kind: str, shown: str) -> Markup:
    exact = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return Markup('<time datetime="{}" data-as="{}" title="{}">{}</time>').format(exact, kind, format_time(ms), shown)


def unit_texts(translator: Translator) -> dict[str, object]:
    """Return the texts by which the browser goes on counting, for its script."""
    units = [[size, translator.text(ago.text), translator.text(to_come.text)] for size, ago, to_come in UNITS]
    return {"units": units, "now": translator.text("just now")}
