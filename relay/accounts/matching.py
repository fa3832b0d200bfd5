"""Match the changes that hooks should have reported with the events that arrived. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from relay.accounts.changes import AccountChange
from relay.amocrm.change_time import CHANGE_TIME_FIELDS
from relay.model import Event, Record

CLOCK_TOLERANCE_S = 60  # between the account's time of a change and the time in its hook
MAX_DELAY_S = 2 * 3600  # of a hook without a time: amoCRM repeats hooks for 95 minutes


class ReceivedEvent(Record):
    """What counts for matching of an event that a hook reported."""

    id: str
    name: str
    entity_id: str
    status: str
    at: int  # seconds: the time in the hook, by amoCRM's clock, or its arrival where it has none
    timed: bool  # whether the hook has a time

    def may_report(self, change: AccountChange) -> bool:
        """Return whether the event may be the one that reported a change."""
        if self.name != change.name or self.entity_id != change.entity_id:
            return False
        if change.action == "status" and self.status != change.details.get("status_id", self.status):
            return False
        max_delay = CLOCK_TOLERANCE_S if self.timed else MAX_DELAY_S
        return -CLOCK_TOLERANCE_S <= self.at - change.at <= max_delay


def received_event(event: Event) -> ReceivedEvent:
    """Return what counts for matching of an event."""
    values = (event.data.get(name) for name in CHANGE_TIME_FIELDS)
    time = next((value for value in values if isinstance(value, str) and value.isdigit()), "")
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
    changes: Sequence[AccountChange], events: Iterable[ReceivedEvent], used: set[str]
) -> list[AccountChange]:
    """Return the changes that no event reported. Each event reports one change, the nearest in time.

    `used` holds the ids of events that have reported a change, and is added to.
    """
    by_entity: dict[str, list[ReceivedEvent]] = defaultdict(list)
    for event in events:
        by_entity[event.entity_id].append(event)
    pairs = sorted(
        (abs(event.at - change.at), index, event.id)
        for index, change in enumerate(changes)
        for event in by_entity[change.entity_id]
        if event.may_report(change)
    )
    reported: set[int] = set()
    for _, index, id in pairs:
        if index not in reported and id not in used:
            reported.add(index)
            used.add(id)
    return [change for index, change in enumerate(changes) if index not in reported]
