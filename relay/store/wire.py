"""The shape of requests to scripts and of their answers.

A request is a map. Its rows, and the rows of an answer, are arrays: their order is written here, and
tests/unit/store/test_wire.py checks that the scripts have the same. Bodies, contents and attempts go beside it.

Rows that there are thousands of are made by position (`kw_only=False`): in half the time of keywords.
"""

from collections.abc import Mapping, Sequence
from typing import Generic, Literal, TypeVar

from msgspec import field

from relay.model import Breaker, DeliveryState, Limit, Outcome, ReceiptState, Record, RoutedEvent
from relay.store.fields import DeliveryField, JobField, ReceiptField

Row = TypeVar("Row")

NEVER_WRITTEN = "0"
"""What a claim returns in place of a field that a record does not have."""


class LeaseRow(Record, array_like=True):
    """A delivery and the token that it is held under."""

    id: str
    token: str


class ClaimRequest(Record):
    """What a claim is to take."""

    queue: str
    kind: Literal["r", "d", "j"]  # of its records' keys
    token: str
    max: int
    lease_ms: int
    concurrency: int = 0  # 0: no bound
    limits: Sequence[Limit] = ()
    batch: int = 0
    unheard: Sequence[str] = ()  # tokens of earlier claims whose answers were lost: nobody works at what they took
    batch_from: int = 0  # from so many due, up to `batch` are taken for one call; 0: never
    ahead: int = 0  # where every slot is taken: so many more, to begin in slots that the worker frees
    holds_ahead: bool = False  # the worker has such ones
    back: Sequence[LeaseRow] = ()  # of those: what has not begun, and is not to begin any more


class ClaimReply(Record, Generic[Row], array_like=True):
    """What a claim took: ids, and the row of each. The blobs stand beside it."""

    wait_ms: int
    poisoned: list[str]
    ids: list[str]
    rows: list[Row]
    batched: bool
    store_ms: int  # the store's time
    ahead: int  # so many of the items, the last ones, are claimed ahead of a slot
    recalled: bool  # what the worker has ahead is to be given back: it must not begin


class ClaimedReceipt(Record, array_like=True):
    """The fields of a receipt that a claim returns; 0 where one was never written."""

    deaths: int = field(name=ReceiptField.DEATHS)
    source: str = field(name=ReceiptField.SOURCE)
    received_at: int = field(name=ReceiptField.RECEIVED_AT)
    content_type: str = field(name=ReceiptField.CONTENT_TYPE)
    user_agent: str = field(name=ReceiptField.USER_AGENT)
    request_id: str = field(name=ReceiptField.REQUEST_ID)
    compressed: bool = field(name=ReceiptField.COMPRESSED)
    size: int = field(name=ReceiptField.SIZE)
    content_encoding: str = field(name=ReceiptField.CONTENT_ENCODING)
    trace: str = field(name=ReceiptField.TRACE)
    original_id: str = field(name=ReceiptField.ORIGINAL)


class ClaimedDelivery(Record, array_like=True):
    """The fields of a delivery that a claim returns; 0 where one was never written."""

    deaths: int = field(name=DeliveryField.DEATHS)
    event_id: str = field(name=DeliveryField.EVENT)
    source: str = field(name=DeliveryField.SOURCE)
    route: str = field(name=DeliveryField.ROUTE)
    accepted_at: int = field(name=DeliveryField.ACCEPTED_AT)
    created_at: int = field(name=DeliveryField.CREATED_AT)
    attempts: int = field(name=DeliveryField.ATTEMPTS)
    size: int = field(name=DeliveryField.SIZE)
    content_id: str = field(name=DeliveryField.CONTENT)
    sends: int = field(name=DeliveryField.SENDS)
    sink: str = field(name=DeliveryField.SINK)
    at_fault: bool = field(name=DeliveryField.BLOCKED)  # the claim compares: another was delivered since
    generation: int = field(name=DeliveryField.GENERATION)
    trial: bool = field(name=DeliveryField.TRIAL)
    sent_at: int = field(name=DeliveryField.SENT_AT)
    trace: str = field(name=DeliveryField.TRACE)
    keyed: str = field(name=DeliveryField.KEYED)


class ClaimedJob(Record, array_like=True):
    """The fields of a job that a claim returns; 0 where one was never written."""

    deaths: int = field(name=JobField.DEATHS)
    kind: str = field(name=JobField.KIND)
    args: str = field(name=JobField.ARGS)


class HookRow(Record, array_like=True, kw_only=False):
    """A hook to accept; its body goes beside the request."""

    id: str
    source: str
    digest: str
    timed: bool
    request_id: str
    content_type: str
    user_agent: str
    recovered: bool
    content_encoding: str
    trace: str


class HandedOver(Record, array_like=True):
    """Receipts that the store hands over to a listener as it stores them: their bodies follow, of these sizes."""

    store_ms: int  # the store's time
    subscriptions_version: int
    hooks: list[HookRow]
    sizes: list[int]


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


class LookupRow(Record, array_like=True):
    """A delivery whose look-up is completed; its content goes beside the request."""

    id: str
    token: str
    state: DeliveryState
    reason: str


class ActAnswer(Record, array_like=True):
    """What came of a person's act on a delivery."""

    code: Literal[
        "done",
        "asked",
        "asked already",
        "leased",
        "due",
        "ordered",  # it waits for another of its `order` key
        "empty",
        "state",
        "gone",
        "another kind",
        "other type",
        "exists",
        "stopped",  # the bulk action that it belongs to does not run any more
        "touched",  # by that action before
        "packed",  # it must be unpacked first; nobody but `Acts` sees this
    ]
    before: str  # its state; empty where there is no such delivery
    obstacle: str  # what keeps its queue back: "paused: why", "closed: why"


class ReplayAnswer(Record, array_like=True):
    """What came of a replay: whether the receipt is there and routed, and how many deliveries were made."""

    code: Literal[
        "done",
        "waits",
        "gone",
        "stopped",  # the bulk action does not run any more
        "moved",  # its source belongs to another shard now: only what was made of it before can be sent again
        "packed",  # it must be unpacked first; nobody but `Acts` sees this
    ]
    made: int


class ActionItemRow(Record, array_like=True, kw_only=False):
    """What came of an item of a bulk action to which nothing was done."""

    id: str
    result: str


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


class LookReply(Record, array_like=True):
    """What a worker's look at the store found.

    `queues`: those with work that nobody came to: the worker begins it. `wait_ms`: until a queue is worth a look; 0:
    there is work that somebody was told of, -1: there is nothing to wait for. `silent`: workers, and for how long each
    was not seen, in milliseconds.
    """

    queues: list[str]
    unanswered: bool  # a bell was set half a second ago or longer, and nobody came to the work
    listens: bool  # a connection takes the worker's wake-ups, and others know it for some seconds
    wait_ms: int
    known: bool  # whether the store has the jobs that run for ever
    since: int  # when the store came into use, epoch milliseconds
    empty: bool  # nobody has looked at it before, and nothing is in it
    subscriptions_version: int
    silent: list[tuple[str, int]]
    format: int  # the newest that was written (`relay.store.formats`)
    shards: int = 0  # the epoch of the list of shards, 0 where there is one shard (`relay.store.shard_list`)


class ErasedDelivery(Record, array_like=True, kw_only=False):
    """A delivery that a person is taken out of: of how many texts its fields and its story are, beside the request."""

    id: str
    fields: int
    story: int


class PackRow(Record, array_like=True, kw_only=False):
    """A receipt to pack: what tells that it has not changed, what goes with it. Its value goes beside the request."""

    receipt: str
    digest: str
    deliveries: Sequence[str]
    contents: Sequence[str]
    once: Mapping[str, str]  # ids of `once` deliveries -> their states


class UnpackedDelivery(Record, array_like=True, kw_only=False):
    """A delivery as it was before it was packed: of how many texts its hash and its story are, which go beside it."""

    id: str
    fields: int
    story: int
    once: bool
