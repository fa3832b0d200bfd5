"""What is in the queues, and whether it may leave them. Durations are milliseconds."""

from collections.abc import Iterable, Sequence
from typing import Any

from relay.model import Record
from relay.store.gate import Gate, read_gate
from relay.store.outcomes import Outcomes, read_outcomes

FILLING = 0.8  # of what a sink may have pending, from which on it is told


class DueWork(Record):
    """What of a queue may be taken now; nothing behind a closed gate."""

    count: int
    oldest_ms: int  # for how long the oldest has been due


class AccountState(Record):
    """The deliveries that wait for a look-up in a source's account, and its gate."""

    source: str
    waiting: int = 0
    in_flight: int = 0
    oldest_due_ms: int | None = None  # for how long the oldest has been due; None: nothing may be taken
    gate: Gate = Gate()
    outcomes: Outcomes = Outcomes()

    @property
    def failing_since(self) -> int | None:
        """Return since when no look-up succeeds, in epoch milliseconds; None where that is not so."""
        return self.outcomes.failing_since(pending=self.waiting + self.in_flight > 0)


class SinkState(Record):
    """The deliveries of a sink, and its gate."""

    name: str
    type: str
    waiting: int = 0  # in its queue, for a look-up, or for another of their `order` key
    looking_up: int = 0  # of those that wait: the ones that an account must be asked about first
    ordered: int = 0  # likewise: the ones that wait for another of their `order` key
    in_flight: int = 0
    held: int = 0
    dead: int = 0
    put_off: int = 0  # to be made when it has room: it has as many pending as it may
    oldest_put_off_ms: int | None = None  # since the hook of the first of these arrived
    max_pending: int | None = None  # None: no worker has said it yet
    oldest_due_ms: int | None = None  # for how long the oldest has been due; None: nothing may be taken
    oldest_pending_ms: int | None = None  # since the receipt of the oldest pending one arrived
    gate: Gate = Gate()
    outcomes: Outcomes = Outcomes()

    @property
    def pending(self) -> int:
        """Return how many are neither finished nor held."""
        return self.waiting + self.in_flight

    @property
    def fill(self) -> float:
        """Return which part it has pending of what it may have; over 1 where more is put off."""
        return (self.pending + self.put_off) / self.max_pending if self.max_pending else 0.0

    @property
    def failing_since(self) -> int | None:
        """Return since when nothing is delivered that is tried, in epoch milliseconds; None where that is not so."""
        return self.outcomes.failing_since(pending=self.pending > self.looking_up + self.ordered)

    def plus(self, other: "SinkState") -> "SinkState":
        """Return the state of a sink that has deliveries in two shards. A gate that is closed in one is shown."""
        return SinkState(
            name=self.name,
            type=self.type,
            waiting=self.waiting + other.waiting,
            looking_up=self.looking_up + other.looking_up,
            ordered=self.ordered + other.ordered,
            in_flight=self.in_flight + other.in_flight,
            held=self.held + other.held,
            dead=self.dead + other.dead,
            put_off=self.put_off + other.put_off,
            max_pending=greatest([self.max_pending, other.max_pending]),
            oldest_due_ms=greatest([self.oldest_due_ms, other.oldest_due_ms]),
            oldest_pending_ms=greatest([self.oldest_pending_ms, other.oldest_pending_ms]),
            oldest_put_off_ms=greatest([self.oldest_put_off_ms, other.oldest_put_off_ms]),
            gate=other.gate if self.gate == Gate() else self.gate,
            outcomes=self.outcomes.plus(other.outcomes),
        )


def greatest(values: Iterable[int | None]) -> int | None:
    """Return the greatest of what is known; None where nothing is."""
    return max((value for value in values if value is not None), default=None)


def read_due_work(found: Sequence[Any], now: int) -> DueWork:
    """Return what may be taken of a queue from its count, its oldest item and its gate."""
    due, oldest, gate = found
    if not due or read_gate(gate).closed(now):
        return DueWork(count=0, oldest_ms=0)
    return DueWork(count=due, oldest_ms=_due_age(oldest, now) or 0)


def read_account_state(source: str, found: Sequence[Any], now: int) -> AccountState:
    """Return the state of an account's queue from its two counts, its oldest due item, its gate and its outcomes."""
    waiting, in_flight, oldest_due, fields, outcomes = found
    gate = read_gate(fields)
    return AccountState(
        source=source,
        waiting=waiting,
        in_flight=in_flight,
        oldest_due_ms=None if gate.closed(now) else _due_age(oldest_due, now),
        gate=gate,
        outcomes=read_outcomes(outcomes, now),
    )


def read_sink_state(name: str, kind: str, found: Sequence[Any], now: int, max_pending: int | None) -> SinkState:
    """Return the state of a sink from its seven counts, its oldest items, its gate and its outcomes."""
    pending, due, in_flight, held, dead, put_off, ordered, *oldest, fields, outcomes = found
    oldest_due, oldest_pending, first_put_off = oldest
    gate = read_gate(fields)
    waiting = max(pending - in_flight, due + ordered)  # the counts may be of different moments
    return SinkState(
        name=name,
        type=kind,
        waiting=waiting,
        looking_up=waiting - due - ordered,
        ordered=ordered,
        in_flight=in_flight,
        held=held,
        dead=dead,
        put_off=put_off,
        max_pending=max_pending,
        oldest_due_ms=None if gate.closed(now) else _due_age(oldest_due, now),
        oldest_pending_ms=_age(oldest_pending, now),
        oldest_put_off_ms=_age(first_put_off, now),
        gate=gate,
        outcomes=read_outcomes(outcomes, now),
    )


def _age(oldest: Sequence[tuple[bytes, float]], now: int) -> int | None:
    """Return for how long the first of a set has been there; None where it is empty."""
    return max(now - int(oldest[0][1]), 0) if oldest else None


def _due_age(oldest: Sequence[tuple[bytes, float]], now: int) -> int | None:
    """Return for how long the first item of a queue has been due; None where nothing is due."""
    return now - int(oldest[0][1]) if oldest and oldest[0][1] <= now else None
