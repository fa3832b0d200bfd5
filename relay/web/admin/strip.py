"""The strip of numbers on every page: each is a link to what it counts."""

from collections.abc import Sequence

from relay.model import Record
from relay.store.reader import Reader
from relay.web.admin.messages import UiText, message


class StripNumber(Record):
    """A number with its label and its page. `tone`: "", or "warn" and "bad" where it is not 0."""

    label: UiText
    count: int
    url: str
    tone: str = ""


class Strip(Record):
    """The numbers at a time of the store's clock, and how many things need somebody."""

    at: int
    problems: int
    numbers: Sequence[StripNumber]


async def read_strip(reader: Reader) -> Strip:
    """Read the numbers. Raises StoreUnavailable."""
    now, (waiting, routing), sinks = await reader.now(), await reader.inbox(), await reader.sinks()
    closed = sum(sink.gate.closed(now) for sink in sinks)
    held, dead = sum(sink.held for sink in sinks), sum(sink.dead for sink in sinks)
    numbers = [
        StripNumber(label=message("inbox"), count=waiting + routing, url="/admin/events?state=accepted"),
        StripNumber(
            label=message("waiting"), count=sum(sink.waiting for sink in sinks), url="/admin/events?view=waiting"
        ),
        StripNumber(
            label=message("in flight"), count=sum(sink.in_flight for sink in sinks), url="/admin/events?view=waiting"
        ),
        StripNumber(label=message("held"), count=held, url="/admin/events?view=held", tone="warn"),
        StripNumber(label=message("dead letters"), count=dead, url="/admin/events?view=failed", tone="bad"),
        StripNumber(label=message("closed gates"), count=closed, url="/admin/sinks", tone="bad"),
    ]
    problems = closed + sum(bool(sink.held) + bool(sink.dead) for sink in sinks)
    return Strip(at=now, problems=problems, numbers=numbers)
