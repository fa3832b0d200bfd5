"""Find what people did: by whom, which act, and what it was about."""

from collections.abc import Sequence
from typing import Final

from relay.model import Record
from relay.store.acts import Acts, AuditEntry

PAGE: Final = 500  # entries read in one round trip
MOST_PAGES: Final = 20  # of one search: it says where to go on


class AuditFilter(Record):
    """Which entries. Empty texts match any; `what` matches a part: an id, the name of a sink."""

    by: str = ""
    act: str = ""
    what: str = ""
    limit: int = 20
    before: str = ""  # only what was done before this entry


class AuditPage(Record):
    """The entries found, the newest first, how many were looked at, and the entry to go on before; empty: no more."""

    items: Sequence[AuditEntry]
    looked: int
    next: str


async def find_audit(acts: Acts, filters: AuditFilter) -> AuditPage:
    """Find entries. Raises StoreUnavailable."""
    if not (filters.by or filters.act or filters.what):
        entries = await acts.audit(filters.limit, filters.before or None)
        return AuditPage(
            items=entries, looked=len(entries), next=entries[-1].id if len(entries) == filters.limit else ""
        )
    found: list[AuditEntry] = []
    looked, before = 0, filters.before
    for _ in range(MOST_PAGES):
        page = await acts.audit(PAGE, before or None)
        for entry in page:
            looked, before = looked + 1, entry.id
            if _matches(entry, filters):
                found.append(entry)
            if len(found) == filters.limit:
                return AuditPage(items=found, looked=looked, next=before)
        if len(page) < PAGE:
            return AuditPage(items=found, looked=looked, next="")
    return AuditPage(items=found, looked=looked, next=before)


def _matches(entry: AuditEntry, filters: AuditFilter) -> bool:
    return (
        filters.by in ("", entry.by) and filters.act in ("", entry.act) and filters.what.lower() in entry.what.lower()
    )
