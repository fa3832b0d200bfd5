"""An event as lists for programs have it: the command line's `--json` and the JSON API."""

from collections.abc import Sequence

from relay.model import Record
from relay.operations.search import FoundEvent


class ListedEvent(Record):
    """An event with its receipt. A receipt without events is listed as itself, with `event` null."""

    id: str
    receipt_id: str
    source: str
    received_at: int  # epoch milliseconds
    event: str | None
    entity: str | None
    entity_id: str | None
    state: str
    reason: str
    duplicates: int
    remarks: Sequence[str]


def listed_event(found: FoundEvent) -> ListedEvent:
    """Return an event as lists have it."""
    event, receipt = found.event, found.receipt
    return ListedEvent(
        id=found.id,
        receipt_id=receipt.id,
        source=receipt.source,
        received_at=receipt.received_at,
        event=event.name if event else None,
        entity=event.entity if event else None,
        entity_id=event.entity_id if event else None,
        state=found.state,
        reason=found.reason,
        duplicates=receipt.duplicates,
        remarks=receipt.remarks,
    )
