"""What attempts and look-ups came to."""

from collections.abc import Mapping, Sequence

from relay.model import Breaker, DeliveryState, Outcome, Record
from relay.store.wire.claims import LeaseRow


class SettlementRow(Record, array_like=True, kw_only=False):
    """What an attempt came to, and what is to be done."""

    id: str
    token: str
    outcome: Outcome
    state: DeliveryState
    reason: str
    delay_ms: int
    consumed: bool
    gate_ms: int
    gate_route: str  # the route whose gate closes; empty: the sink's
    gate_sure: bool
    keeps_mark: bool
    counted: bool
    asked_ms: int


class SettleRequest(Record):
    """What a settle is to write. `sink` names the counters; the attempts go beside the request.

    `in_vain`: an account was asked, and each of the items is a failure of it, whatever its outcome.
    """

    queue: str
    sink: str
    in_vain: bool
    items: Sequence[SettlementRow]
    counts: Mapping[str, int]
    begun: Sequence[LeaseRow]  # claimed ahead, and begun: settled here, or in the slot of one that is
    breaker: Breaker | None  # None: no share of failures closes its gate
    followed: Sequence[str]  # ids of the items whose routes others follow: they are told where these are delivered


class LookupRow(Record, array_like=True):
    """A delivery whose look-up is completed; its content goes beside the request."""

    id: str
    token: str
    state: DeliveryState
    reason: str
