"""What became of receipts."""

from collections.abc import Sequence

from relay.model import DeliveryState, ReceiptState, Record, RoutedEvent


class DeliveryRow(Record, array_like=True, kw_only=False):
    """A delivery that routing made. `content` numbers the blob."""

    id: str
    event_id: str
    sink: str
    route: str
    once: bool
    state: DeliveryState
    reason: str
    content: int
    queue: str  # where it waits first
    keyed: str  # digests of its route's keys for it, "order|latest"; empty where it has neither


class PutOffRow(Record, array_like=True, kw_only=False):
    """A delivery that was put off, and how its set calls it."""

    member: str
    delivery: DeliveryRow


class RoutedRow(Record, kw_only=False):
    """What became of a receipt, or of a part of it. `body` numbers the blob that replaces its body; 0: keep it."""

    id: str
    last: bool
    state: ReceiptState
    reason: str
    config: str
    remarks: Sequence[str]
    body: int
    events: Sequence[RoutedEvent]
    counted: Sequence[str]  # the name under which each event is counted
    deliveries: Sequence[DeliveryRow]
    trace: str


class RoutedReply(Record, array_like=True):
    """What came of writing what became of receipts."""

    queues: list[str]  # that have work now
    stale: list[str]  # receipts whose token is of an older lease
    claimed: list[list[str]]  # for each claim the deliveries that it took, of those that were made
    store_ms: int  # the store's time
