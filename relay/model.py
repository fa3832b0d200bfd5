"""What the relay talks about: frozen records without I/O. Times are milliseconds of the store's clock."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias, dataclass_transform

import msgspec

Value: TypeAlias = "str | list[Value] | dict[str, Value]"
"""What a bracketed form holds: amoCRM sends every scalar as a string."""

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class _RecordMeta(msgspec.StructMeta):
    """Return every record, however deep in the family, what msgspec takes from a class's own keywords only."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, **{"frozen": True, "kw_only": True, **options})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, metaclass=_RecordMeta, frozen=True, kw_only=True):
    """The base of all records: frozen, made with keywords only."""


class ReceiptState(StrEnum):
    """What became of a POST. A receipt is in exactly one of them."""

    ACCEPTED = "accepted"  # stored, not decoded yet
    ROUTED = "routed"  # at least one delivery came of it
    UNROUTED = "unrouted"  # decoded, and no route matched
    REFUSED = "refused"  # another account's, or made by an ignored user
    MALFORMED = "malformed"  # not what amoCRM sends
    QUARANTINED = "quarantined"  # routing it killed the worker again and again


class DeliveryState(StrEnum):
    """Where a delivery stands. Pending means: in exactly one of its sink's two sets."""

    PENDING = "pending"
    HELD = "held"  # a person must decide
    DELIVERED = "delivered"
    SKIPPED = "skipped"
    SHADOWED = "shadowed"
    DEAD = "dead"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What one attempt meant."""

    DELIVERED = "delivered"  # applied, or it already was
    SKIPPED = "skipped"  # policy: nobody to deliver to
    RETRY = "retry"  # not applied, or harmless to repeat
    THROTTLED = "throttled"  # come back later; no attempt consumed
    UNKNOWN = "unknown"  # may have been applied
    REJECTED = "rejected"  # this event is wrong for them
    BLOCKED = "blocked"  # the sink is broken, not the event; no attempt consumed


class Receipt(Record):
    """One POST as it arrived."""

    id: str
    source: str
    received_at: int
    body: bytes
    content_type: str = ""
    user_agent: str = ""
    request_id: str = ""
    deaths: int = 0  # leases that ran out: workers that died holding it


class Account(Record):
    """Who a body says it comes from. Empty where the body does not say."""

    id: str = ""
    subdomain: str = ""
    link: str = ""  # its address as the body gives it: anybody can write one, so it is passed on and never called


class Event(Record):
    """One fact of a receipt, under amoCRM's own name (`status_lead`)."""

    id: str  # "<receipt id>.<index>"
    receipt_id: str
    index: int
    source: str
    name: str
    entity: str  # lead, contact, company, customer, task, note… singular
    action: str
    entity_id: str  # "" where the fact has none
    account: Account
    data: Mapping[str, Value]
    received_at: int  # when its receipt arrived


SUBSCRIBER = "sub-"
"""What the names of subscribers' sinks begin with, followed by a number; no sink of the configuration is called so."""


class Subscription(Record):
    """Which events of a source an application asked to be sent, and where. One for each source and address."""

    id: int
    source: str
    url: str
    name: str
    events: frozenset[str]
    disabled: bool
    disabled_reason: str
    created_at: int
    updated_at: int
    created_by: str  # the login of the API user; "" where an operator made it
    sort: int

    @property
    def sink(self) -> str:
        """Return the name of the sink that its deliveries go to."""
        return f"{SUBSCRIBER}{self.id}"


class NewDelivery(Record):
    """A delivery as routing makes it. Its id follows from event, route and sink, or from route and `once` key."""

    id: str
    event_id: str
    route: str
    sink: str
    once: bool
    content: bytes
    state: DeliveryState = DeliveryState.PENDING
    reason: str = ""
    needs_lookup: bool = False  # waits for a look-up in the account before it enters its sink's queue


class CompletedLookup(Record):
    """A delivery whose look-up is answered: its content, or why there is nothing to send."""

    delivery: "Delivery"
    content: bytes
    state: DeliveryState = DeliveryState.PENDING
    reason: str = ""


class RoutedEvent(Record, array_like=True):
    """An event as routing lists it under its receipt."""

    index: int
    name: str
    entity: str
    entity_id: str
    state: ReceiptState
    reason: str


class RoutedReceipt(Record):
    """What became of a receipt, or of a part of it. The last part takes it out of the inbox."""

    receipt: Receipt
    state: ReceiptState
    reason: str
    config: str
    events: Sequence[RoutedEvent]
    deliveries: Sequence[NewDelivery]
    last: bool = True
    packed: bytes | None = None  # the body as it is kept from now on; None: as it is


class Delivery(Record):
    """A delivery as a worker holds it: claimed under a token, with its content."""

    id: str
    event_id: str
    source: str
    route: str
    sink: str
    content: bytes
    accepted_at: int  # when the receipt arrived
    created_at: int  # when it was routed
    attempts: int  # attempts consumed before this one
    deaths: int  # leases that ran out: workers that died holding it
    token: str
    sending: bool  # an earlier attempt marked that its bytes were about to leave, and nobody knows whether they arrived
    sent_at: int | None = None  # when that mark was made
    sends: int = 0  # how often its bytes were about to leave


class Result(Record):
    """What an attempt came to: the outcome, and what a person needs to understand it."""

    outcome: Outcome
    reason: str
    status: int | None = None  # HTTP status, where there was one
    after_ms: int | None = None  # how long they asked us to wait
    scope: str = "sink"  # what a block closes: "sink", or "route" where only the route is wrong
    response: str = ""  # the beginning of their answer, for the story
    provider_id: str = ""  # their id of what they made
    segments: int | None = None  # of a text message: how many it is on the air
    cost: str | None = None  # what they charge for it, decimal, in the account's currency


class DecisionKind(StrEnum):
    """What is done about an outcome."""

    SETTLE = "settle"
    RETRY = "retry"
    HOLD = "hold"
    DEAD = "dead"
    WAIT = "wait"  # again later, no attempt consumed


class Decision(Record):
    """What happens to a delivery next. A value; the store acts on it."""

    kind: DecisionKind
    state: DeliveryState
    reason: str
    delay_ms: int = 0  # RETRY, WAIT: from now
    consumed: bool = True  # whether the attempt counts
    gate_ms: int = 0  # > 0: the gate closes for so long
    gate_scope: str = "sink"
    keeps_mark: bool = False  # its bytes may have arrived: look up before they leave again


class Limit(Record, array_like=True):
    """At most `count` grants in any window of `per_ms`, counted under `key` over all workers."""

    key: str
    count: int
    per_ms: int


class Attempt(Record):
    """One try, as the story tells it."""

    number: int  # 0: what a person decided
    at: int
    took_ms: int
    outcome: Outcome
    reason: str
    decision: DecisionKind
    status: int | None = None
    response: str = ""
    provider_id: str = ""
    segments: int | None = None
    cost: str | None = None
    next_at: int | None = None
    worker: str = ""
    times: int = 1  # throttled or blocked tries in a row collapse into one
