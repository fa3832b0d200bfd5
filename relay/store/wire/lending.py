"""What the home of a sink lends, and what other shards report to it."""

from collections.abc import Sequence

from relay.model import Limit, Record
from relay.store.wire.settling import SettlementRow


class LentTrial(Record, array_like=True):
    """A trial of a closed gate that may be made, and until when the gate is closed; of a route, or of the sink ("")."""

    route: str
    closed_until: int


class BegunTrial(Record, array_like=True):
    """A trial that is made, and whether its delivery was blocked before."""

    route: str
    blocked: bool


class LendReply(Record, array_like=True):
    """What the home of a sink lends to another shard. Times are of the home's clock, in epoch milliseconds."""

    slots: int
    wait_ms: int  # until it may be asked again, where it lends nothing
    at: int
    openings: int  # how often a trial that arrived has opened the sink's gate
    gate: list[str]  # its fields and their values, one after another, as they were before these trials
    trials: list[LentTrial]


class Granted(Record):
    """What a claim may take of a sink whose home is another shard, and what is known of its gates (`LendReply`)."""

    slots: int
    wait_ms: int
    at: int
    openings: int = 0
    gate: Sequence[str] = ()


class ReportRow(Record, array_like=True, kw_only=False):
    """What an attempt came to under a slot that its sink's home has lent: the number of that under its token."""

    token: str
    number: int
    route: str
    item: SettlementRow


class ReturnRequest(Record):
    """What a shard gives back to the home of a sink, as nothing of it has started.

    Of `slots` that were lent at `at` it uses the first `used`, for `longer_ms` more than it said.
    """

    queue: str
    token: str
    slots: int
    used: int
    at: int
    limits: Sequence[Limit]
    begun: Sequence[BegunTrial]
    unused: Sequence[LentTrial]
    longer_ms: int
