"""The strip of numbers that every page and `relay top` show, each with the filter that lists what it counts."""

from collections.abc import Mapping, Sequence
from typing import Literal

from relay.model import Record
from relay.operations.problems import Problem, count_open
from relay.store.reader import Reader

SILENT = ("source-silent", "hook-disabled")  # kinds of problems: sources that send nothing


class StripNumber(Record):
    """A number, and which list shows what it counts, by which filter."""

    name: str
    count: int
    list: Literal["events", "deliveries", "sinks", "sources", "problems"]
    filters: Mapping[str, str] = {}


async def read_strip(reader: Reader, problems: Sequence[Problem]) -> list[StripNumber]:
    """Read the numbers that scripts keep; none is counted here. Raises StoreUnavailable."""
    inbox, sinks, now = sum(await reader.inbox()), await reader.sinks(), await reader.now()
    pending, held, dead = ({"state": state} for state in ("pending", "held", "dead"))
    return [
        StripNumber(name="inbox", count=inbox, list="events", filters={"state": "accepted"}),
        StripNumber(name="waiting", count=sum(one.waiting for one in sinks), list="deliveries", filters=pending),
        StripNumber(name="in flight", count=sum(one.in_flight for one in sinks), list="deliveries", filters=pending),
        StripNumber(name="held", count=sum(one.held for one in sinks), list="deliveries", filters=held),
        StripNumber(name="dead", count=sum(one.dead for one in sinks), list="deliveries", filters=dead),
        StripNumber(name="closed gates", count=sum(one.gate.closed(now) for one in sinks), list="sinks"),
        StripNumber(name="silent sources", count=sum(one.kind in SILENT for one in problems), list="sources"),
        StripNumber(name="problems", count=count_open(problems), list="problems"),
    ]
