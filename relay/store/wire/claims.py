"""What a claim is to take, and what it took."""

from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

from msgspec import field

from relay.model import Limit, Record
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
