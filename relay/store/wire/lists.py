"""What is to be listed, and what was found."""

from collections.abc import Sequence
from typing import Literal

from relay.model import Record


class Cursor(Record, array_like=True, kw_only=False):
    """Where a list stopped: a row of a sorted set, and how many of its events or deliveries were listed; 0: all."""

    score: int
    member: str
    taken: int = 0


class FindRequest(Record):
    """What to look through for a list, and what to list of it. Empty texts match anything."""

    kind: Literal["events", "deliveries"]  # what is listed
    members: Literal["receipts", "events", "deliveries", "put-off"]  # what is in the sets
    keys: Sequence[str]  # sorted sets, one at least
    limit: int
    most: int  # commands to spend
    highest: int | None = None  # the scores between which to look
    lowest: int | None = None
    after: Cursor | None = None
    source: str = ""
    event: str = ""
    sink: str = ""
    state: str = ""
    route: str = ""
    reason: str = ""  # a part of it
    since: int | None = None  # bounds of the arrival, where the scores are other times
    before: int | None = None
    recovered: bool = False  # only receipts that amoCRM never delivered


class FindReply(Record, array_like=True):
    """What was found, how many rows were looked at for it, and where to go on; None: there is no more.

    A delivery that is put off is called as the set of its sink calls it.
    """

    ids: list[str]
    looked: int
    cursor: Cursor | None = None
