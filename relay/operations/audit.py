"""Find what people did: by whom, which act, what it was about, and when."""

import re
from collections.abc import Sequence
from typing import Final

from relay.model import Record
from relay.store.acts import Acts, AuditEntry

PAGE: Final = 500  # entries read in one round trip
MOST_PAGES: Final = 20  # of one search: it says where to go on
_ENTRY: Final = re.compile(r"\d{1,15}-\d{1,10}", re.ASCII)


class AuditFilter(Record):
    """Which entries. Empty texts match any; `what` matches a part: an id, the name of a sink. Times: epoch ms."""

    by: str = ""
    act: str = ""
    what: str = ""
    since: int | None = None
    until: int | None = None
    limit: int = 20
    before: str = ""  # only what was done before this entry

    @property
    def by_words(self) -> bool:
        """Whether entries must be read to know whether they match."""
        return bool(self.by or self.act or self.what)


class AuditPage(Record):
    """The entries found, the newest first, how many were looked at, and the entry to go on before; empty: no more."""

    items: Sequence[AuditEntry]
    looked: int
    next: str


def is_entry(text: str) -> bool:
    """Return whether a text can be the id of an entry."""
    return _ENTRY.fullmatch(text) is not None


async def find_audit(acts: Acts, filters: AuditFilter) -> AuditPage:
    """Find entries. Raises StoreUnavailable."""
    size = PAGE if filters.by_words else filters.limit
    found: list[AuditEntry] = []
    looked, before = 0, _first_before(filters)
    for _ in range(MOST_PAGES):
        page = await acts.audit(size, before or None)
        for entry in page:
            if filters.since is not None and entry.at < filters.since:
                return AuditPage(items=found, looked=looked, next="")
            looked, before = looked + 1, entry.id
            if _matches(entry, filters):
                found.append(entry)
            if len(found) == filters.limit:
                return AuditPage(items=found, looked=looked, next=before)
        if len(page) < size:
            return AuditPage(items=found, looked=looked, next="")
    return AuditPage(items=found, looked=looked, next=before)


def _first_before(filters: AuditFilter) -> str:
    """Return the entry to begin before; ids begin with the millisecond."""
    bounds = [filters.before] if filters.before else []
    if filters.until is not None:
        bounds.append(f"{max(filters.until, 0) + 1}-0")
    return min(bounds, key=lambda id: tuple(map(int, id.split("-"))), default="")


def _matches(entry: AuditEntry, filters: AuditFilter) -> bool:
    return (
        filters.by in ("", entry.by) and filters.act in ("", entry.act) and filters.what.lower() in entry.what.lower()
    )
