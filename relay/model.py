"""Records that all packages share: receipts, events, deliveries, attempts. Times are the store's, in milliseconds."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias, dataclass_transform

import msgspec

Value: TypeAlias = "str | list[Value] | dict[str, Value]"
"""What a bracketed form holds: amoCRM sends every scalar as a string."""

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

AnyJson: TypeAlias = Any
"""The same in records whose types are read at runtime: msgspec knows no type that contains itself."""


class _RecordMeta(msgspec.StructMeta):
    """Make every record frozen and keyword-only: msgspec gives `kw_only` to a class, and not to its children."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, **{"frozen": True, "kw_only": True, **options})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, metaclass=_RecordMeta, frozen=True, kw_only=True):  # the keywords are for mypy
    """The base of all records: frozen, made with keywords only."""


class ReceiptState(StrEnum):
    """What became of a POST. A receipt is in exactly one of these states."""

    ACCEPTED = "accepted"  # stored, not decoded yet
    ROUTED = "routed"  # at least one delivery came of it
    UNROUTED = "unrouted"  # decoded, and no route matched
    REFUSED = "refused"  # another account's, or made by an ignored user
    MALFORMED = "malformed"  # not what amoCRM sends
    QUARANTINED = "quarantined"  # routing it met a defect of the relay, or killed five workers


class DeliveryState(StrEnum):
    """What became of a delivery.

    A pending one is in exactly one of three sets: due or leased of its queue, or ordered of its sink. One that is put
    off has no record yet, and stands in the set of its sink.
    """

    PENDING = "pending"
    PUT_OFF = "put-off"  # its sink is full: of it the hook is kept, and it is made when there is room
    HELD = "held"  # a person must decide
    DELIVERED = "delivered"
    SKIPPED = "skipped"  # policy: nobody to deliver to
    SHADOWED = "shadowed"  # rendered and not sent, because its route is only tried out
    DEAD = "dead"  # given up, and kept
    CANCELLED = "cancelled"  # a person gave it up, or a newer one of its `latest` key superseded it


class Outcome(StrEnum):
    """What one attempt meant."""

    DELIVERED = "delivered"  # applied, or it already was
    SKIPPED = "skipped"  # policy: nobody to deliver to
    RETRY = "retry"  # not applied, or harmless to repeat
    THROTTLED = "throttled"  # to be sent later; no attempt consumed
    UNKNOWN = "unknown"  # may have been applied
    REJECTED = "rejected"  # this event is wrong for them
    BLOCKED = "blocked"  # the sink is broken, not the event; no attempt consumed


class Receipt(Record):
    """One POST as it arrived."""

    id: str
    source: str
    received_at: int
    body: bytes  # as it arrived: compressed, where `content_encoding` says so
    content_type: str = ""
    content_encoding: str = ""
    user_agent: str = ""
    request_id: str = ""
    deaths: int = 0  # leases that ran out: workers that died holding it
    trace: str = ""  # what its trace goes on from, as W3C's `traceparent`; empty where it is not traced
    original_id: str = ""  # of the fact that a delivery arrived: the event that the delivery was made of
    original: "Receipt | None" = None  # and the receipt of that, as it was read; None: it is gone


class Account(Record):
    """The account that a body says it comes from. Empty where the body does not say."""

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
    original: "Event | None" = None  # of the fact that a delivery arrived: the event that it was made of


SUBSCRIBER = "sub-"
"""What the names of subscribers' sinks begin with, followed by a number; no sink of the configuration is called so."""


def is_subscriber(sink: str) -> bool:
    """Tell by its name whether a sink is a subscriber's."""
    return sink.startswith(SUBSCRIBER)


ERASURE = "erasure"
"""What stands in place of a route's name where a sink is asked to forget somebody; no route is called so."""


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
    order: str = ""  # digest of its route's `order` key; empty: it waits for no other
    latest: str = ""  # likewise of `latest`; empty: none supersedes it


class CompletedLookup(Record):
    """A delivery whose look-up is answered: its content, or the state that it ends in and why."""

    delivery: "Delivery"
    content: bytes
    state: DeliveryState = DeliveryState.PENDING
    reason: str = ""


class RoutedEvent(Record, array_like=True):
    """An event in the list of its receipt, with what routing made of it."""

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
    remarks: Sequence[str] = ()  # what of its body could not be read
    last: bool = True
    packed: bytes | None = None  # the body compressed, to store in its place; None: leave it as it is


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
    sending: bool  # an earlier attempt marked that its bytes were about to leave, and it is not known if they arrived
    sent_at: int | None = None  # when it marked that
    sends: int = 0  # how often its bytes were about to leave
    at_fault: bool = False  # it was blocked, then another delivery arrived: a block is about this event, not the sink
    generation: int = 0  # how often its content was rendered anew
    trial: bool = False  # its sink was down: what comes of this one decides whether others follow
    trace: str = ""  # what its trace goes on from, as of its receipt

    @property
    def key(self) -> str:
        """Return the key by which its receiver recognises a repetition; another content has another one."""
        return f"{self.id}-{self.generation}" if self.generation else self.id


class Result(Record):
    """The result of an attempt: the outcome, and what a person needs to understand it."""

    outcome: Outcome
    reason: str
    status: int | None = None  # HTTP status, where there was one
    after_ms: int | None = None  # how long they asked us to wait
    exact: bool = False  # after that it may leave by our own rules: nothing is added to it
    scope: str = "sink"  # what a block closes: "sink", or "route" where only the route is wrong
    response: str = ""  # the beginning of their answer, for the story
    provider_id: str = ""  # their id of what they made
    segments: int | None = None  # of a text message: how many it is sent as
    cost: str | None = None  # what they charge for it, decimal, in the account's currency


class DecisionKind(StrEnum):
    """What is done about an outcome."""

    SETTLE = "settle"
    RETRY = "retry"
    HOLD = "hold"
    DEAD = "dead"
    WAIT = "wait"  # again later, no attempt consumed


class Decision(Record):
    """What happens to a delivery next. The store acts on it."""

    kind: DecisionKind
    state: DeliveryState
    reason: str
    delay_ms: int = 0  # RETRY, WAIT: until it is due, from now
    asked_ms: int = 0  # for how long of that they asked us to wait: it stands also when their outage is over
    consumed: bool = True  # whether the attempt counts
    gate_ms: int = 0  # > 0: for how long the gate closes
    gate_scope: str = "sink"  # whose gate: "sink", or "route" where only the route is wrong
    gate_sure: bool = False  # it stays closed for its time; else another delivery is tried at once
    keeps_mark: bool = False  # its bytes may have arrived: they are looked up before they leave again


class Limit(Record, array_like=True):
    """At most `count` grants in any window of `per_ms`, counted under `key` over all workers."""

    key: str
    count: int
    per_ms: int


class Breaker(Record, array_like=True):
    """When a sink's gate closes: `share` of at least `minimum` attempts within `window_ms` failed."""

    share: float
    minimum: int
    window_ms: int


class Attempt(Record):
    """One attempt, as it stands in a delivery's story."""

    number: int  # 0: a person's decision
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
    times: int = 1  # how many in a row, throttled or blocked, this one stands for
