"""Which of the facts that hooks should have told were told. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from relay.accounts.history import AccountChange
from relay.model import Event, Record

CLOCK_TOLERANCE_S = 60  # between the account's time of a change and the one that its hook says
MAX_DELAY_S = 2 * 3600  # after which a hook without a time comes no more: amoCRM repeats it for 95 minutes
_TIMES = ("last_modified", "updated_at", "timestamp_x")


class ReceivedEvent(Record):
    """An event that a hook told."""

    id: str
    name: str
    entity_id: str
    status: str
    at: int  # seconds, by amoCRM's clock; where the hook says none, when it arrived
    timed: bool

    def may_report(self, fact: AccountChange) -> bool:
        """Return whether this may be what the hook of a fact told."""
        if self.name != fact.name or self.entity_id != fact.entity_id:
            return False
        if fact.action == "status" and self.status != fact.own.get("status_id", self.status):
            return False
        late = CLOCK_TOLERANCE_S if self.timed else MAX_DELAY_S
        return -CLOCK_TOLERANCE_S <= self.at - fact.at <= late


def received_event(event: Event) -> ReceivedEvent:
    """Return what counts of an event."""
    time = next((text for name in _TIMES if isinstance(text := event.data.get(name), str) and text.isdigit()), "")
    status = event.data.get("status_id")
    return ReceivedEvent(
        id=event.id,
        name=event.name,
        entity_id=event.entity_id,
        status=status if isinstance(status, str) else "",
        at=int(time) if time else event.received_at // 1000,
        timed=bool(time),
    )


def find_missing(
    facts: Sequence[AccountChange], events: Iterable[ReceivedEvent], used: set[str]
) -> list[AccountChange]:
    """Return the facts that no hook told. Each event tells one fact, the nearest in time; `used` has those that did."""
    by_entity: dict[str, list[ReceivedEvent]] = defaultdict(list)
    for event in events:
        by_entity[event.entity_id].append(event)
    pairs = sorted(
        (abs(event.at - fact.at), n, event.id)
        for n, fact in enumerate(facts)
        for event in by_entity[fact.entity_id]
        if event.may_report(fact)
    )
    told: set[int] = set()
    for _, n, id in pairs:
        if n not in told and id not in used:
            told.add(n)
            used.add(id)
    return [fact for n, fact in enumerate(facts) if n not in told]
