"""Everything that a relay's store knows, in plain Python."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from relay.facts.kinds import DELIVERED
from relay.store.keys import INBOX, JOBS
from tests.integration.invariants import place_in_line
from tests.integration.store.reference.facts import FOLLOWED, Facts

DUPLICATE_MS = 2 * 3600 * 1000
POISONED_AFTER = 5
ALONE_AFTER = 2
REMEMBERED_MS = 7 * 24 * 3600 * 1000  # the newest delivery of a `latest` key, once it is delivered


@dataclass
class Leasable:
    """What a worker can hold: a receipt, a delivery or a job."""

    token: str = ""
    died: int = 0
    alone: int = 0
    beside: str = ""


@dataclass
class Known:
    """What tells a repetition of a hook; of a receipt that retention removed it is all that is left, until `until`."""

    at: int
    late: bool = False
    repeated_by: str = ""
    until: int = 0


@dataclass
class ReceiptModel(Leasable):
    known: Known = field(default_factory=lambda: Known(0))
    source: str = ""
    state: str = "accepted"
    size: int = 0
    dups: int = 0
    open: int = 1
    dead: int = 0
    events: set[int] = field(default_factory=set)
    deliveries: dict[str, int] = field(default_factory=dict)  # id -> index of its event


@dataclass
class DeliveryModel(Leasable):
    id: str = ""
    receipt: str = ""
    event: str = ""
    route: str = ""
    sink: str = ""
    once: bool = False
    state: str = "pending"
    queue: str = ""  # the account's, for a look-up; empty: its sink's
    accepted_at: int = 0
    attempts: int = 0
    sent_at: int = 0
    marked_by: str = ""
    sends: int = 0
    reported: bool = False
    cancel: bool = False
    down: int = 0  # from when it may be sent at once, when its sink works again
    blocked: str = ""
    generation: int = 0
    planned: str = ""
    finished_at: int = 0
    listed_at: int = 0  # since when it is held or dead
    content: bytes = b""
    order: str = ""
    latest: str = ""

    @property
    def keyed(self) -> str:
        """Both keys, as the store has them."""
        return f"{self.order}|{self.latest}" if self.order or self.latest else ""

    @property
    def position(self) -> tuple[int, str]:
        """Where it stands among those of its keys."""
        return self.accepted_at, place_in_line(self.event, self.id)

    @property
    def waits_in(self) -> str:
        """The queue in which it waits while it is pending."""
        return self.queue or f"sink:{self.sink}"


@dataclass
class Queue:
    due: dict[str, int] = field(default_factory=dict)
    leased: dict[str, int] = field(default_factory=dict)
    ahead: dict[str, int] = field(default_factory=dict)  # of those that are leased: since when they were due
    recalled: int = 0  # since when all of that is to be given back

    @property
    def started(self) -> int:
        """How many leases count against the concurrency."""
        return len(self.leased.keys() - self.ahead.keys())

    def has(self, id: str) -> bool:
        return id in self.due or id in self.leased


@dataclass
class Remembered:
    """The receipts with one body, (id, request id), newest first."""

    lines: list[tuple[str, str]]
    until: int


@dataclass
class RouteGate:
    """The gate of a route; of a queue where the route is ''."""

    until: int
    trial: str = ""
    tried: int = 0


@dataclass
class Gate:
    routes: dict[str, RouteGate] = field(default_factory=dict)  # the closed ones
    since: int = 0
    breaker: bool = False
    ramp: int = 0
    advance: bool = False
    paused: bool = False
    paused_until: int = 0


@dataclass
class Away:
    """What is known of a gate that is another shard's."""

    openings: int = 0
    advance: bool = False


@dataclass
class Slots:
    """Counts in slots of time, forgotten at `until`."""

    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    until: int = 0


@dataclass
class State:
    now: int
    receipts: dict[str, ReceiptModel] = field(default_factory=dict)
    deliveries: dict[str, DeliveryModel] = field(default_factory=dict)
    jobs: dict[str, Leasable] = field(default_factory=dict)
    retired: dict[str, Known] = field(default_factory=dict)
    remembered: dict[tuple[str, str], Remembered] = field(default_factory=dict)
    overtaken: dict[str, tuple[str, int]] = field(default_factory=dict)  # hook -> receipt in its place, until when
    once: dict[str, str] = field(default_factory=dict)
    skipped_before: set[str] = field(default_factory=set)  # `once` deliveries that went skipped: others may list them
    stories: defaultdict[str, list[tuple[str, bytes, int]]] = field(default_factory=lambda: defaultdict(list))
    queues: defaultdict[str, Queue] = field(default_factory=lambda: defaultdict(Queue))
    finished: dict[str, int] = field(default_factory=dict)
    finished_dead: dict[str, int] = field(default_factory=dict)
    gates: defaultdict[str, Gate] = field(default_factory=lambda: defaultdict(Gate))
    away: defaultdict[str, Away] = field(default_factory=lambda: defaultdict(Away))
    openings: Counter[str] = field(default_factory=Counter)
    windows: defaultdict[str, Slots] = field(default_factory=lambda: defaultdict(Slots))
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)  # failures in a row: since when, how many
    grants: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    facts: Facts = field(default_factory=Facts)
    ordered: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))  # by sink
    latest: defaultdict[tuple[str, str], dict[str, tuple[int, str]]] = field(default_factory=lambda: defaultdict(dict))
    latest_until: dict[tuple[str, str], int] = field(default_factory=dict)
    placing: list[DeliveryModel] = field(default_factory=list)  # with keys, made in the call that is made now
    connected: set[str] = field(default_factory=set)  # workers that would take a wake-up
    listeners: dict[str, int] = field(default_factory=dict)  # until when each is known as one

    def move_time(self, now: int) -> None:
        """Let time pass. What is kept for a while only is forgotten after it."""
        self.now = now
        self.retired = {id: known for id, known in self.retired.items() if known.until > now}
        self.remembered = {body: known for body, known in self.remembered.items() if known.until > now}
        self.overtaken = {id: (receipt, until) for id, (receipt, until) in self.overtaken.items() if until > now}
        for queue in [queue for queue, window in self.windows.items() if window.until <= now]:
            del self.windows[queue]
        for key in [key for key, until in self.latest_until.items() if until <= now]:
            del self.latest_until[key], self.latest[key]

    def record(self, queue: str, id: str) -> Leasable | None:
        """Return what is in a queue under an id; None where there is no record of it."""
        records: dict[str, dict] = {INBOX: self.receipts, JOBS: self.jobs}
        return records.get(queue, self.deliveries).get(id)

    def count(self, *words: str, n: int = 1) -> None:
        self.counts["|".join(words)] += n

    def write_fact(self, kind: str, *about: str) -> None:
        """Note a fact about a delivery, or about a sink's gate for a route."""
        self.facts.write(kind, "|".join(about), self.now)

    def write_delivered(self, delivery: DeliveryModel) -> None:
        """Note that a delivery was delivered, where another route follows its route."""
        if delivery.route == FOLLOWED:
            self.write_fact(DELIVERED, delivery.id)

    def finish(self, receipt: str) -> None:
        """List a receipt of which nothing is open for retention."""
        dead = self.receipts[receipt].dead
        (self.finished_dead if dead else self.finished)[receipt] = self.now

    def unfinish(self, receipt: str) -> bool:
        return self.finished.pop(receipt, None) is not None or self.finished_dead.pop(receipt, None) is not None

    def close_one(self, receipt: str) -> None:
        """Count one less of what is open of a receipt."""
        self.receipts[receipt].open -= 1
        if self.receipts[receipt].open <= 0:
            self.finish(receipt)

    def count_ended(self, delivery: DeliveryModel) -> None:
        self.count("delivery", delivery.sink, delivery.state)
        if delivery.state == "dead":
            self.write_fact("delivery_dead", delivery.id)
            delivery.listed_at = self.now
            self.receipts[delivery.receipt].dead += 1

    def end(self, delivery: DeliveryModel, state: str) -> None:
        """End a delivery that was pending or held."""
        delivery.state, delivery.finished_at = state, self.now
        if state == "delivered":
            self.write_delivered(delivery)
        self.leave_keys(delivery)
        self.count_ended(delivery)
        self.close_one(delivery.receipt)

    def leave_keys(self, delivery: DeliveryModel) -> None:
        self.pass_turn(delivery.sink, delivery.order)
        key, listed = (delivery.sink, delivery.latest), self.latest[delivery.sink, delivery.latest]
        if delivery.state == "delivered" and listed and max(listed, key=lambda id: listed[id]) == delivery.id:
            self.latest_until[key] = self.now + REMEMBERED_MS
        else:
            listed.pop(delivery.id, None)

    def pass_turn(self, sink: str, order: str) -> None:
        """Give the turn to the first that waits, where nobody of an `order` key has it."""
        line = [one for one in self.deliveries.values() if (one.sink, one.order, one.state) == (sink, order, "pending")]
        if not order or any(self.queues[one.waits_in].has(one.id) for one in line):
            return
        if waiting := [one for one in line if one.id in self.ordered[sink]]:
            first = min(waiting, key=lambda one: one.position)
            self.queues[first.waits_in].due[first.id] = max(self.ordered[sink].pop(first.id), self.now)

    def leave_dead(self, delivery: DeliveryModel) -> None:
        """Take a dead letter off the list. Its receipt is kept longer only while it has others."""
        receipt = self.receipts[delivery.receipt]
        receipt.dead -= 1
        if not receipt.dead and self.finished_dead.pop(delivery.receipt, None) is not None:
            self.finish(delivery.receipt)

    def deliver(self, delivery: DeliveryModel) -> None:
        """Write that one was delivered after all, whatever was decided about it since."""
        before = delivery.state
        delivery.token, delivery.sent_at, delivery.marked_by, delivery.reported = "", 0, "", False
        if before in ("pending", "held"):
            self.end(delivery, "delivered")
            return
        if before == "dead":
            self.leave_dead(delivery)
        delivery.state, delivery.finished_at = "delivered", self.now
        self.write_delivered(delivery)
        self.count("delivery", delivery.sink, "delivered")
