"""What follows from how often fields were empty, day by day, as it is kept for all that diagnose."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from relay.model import Record
from relay.store.shared_state import SharedState

_KEY: Final = "fields:found"
_TTL_MS: Final = 2 * 24 * 3_600_000  # where no worker looks any more, nothing is told


class EmptyField(Record):
    """A field that is empty more often than it was. `since`: epoch milliseconds."""

    source: str
    route: str
    field: str
    custom: bool
    since: int
    share: float
    events: int
    usual: float


class FieldFindings(Record):
    """What the counts of all days come to. `misses`: source -> table -> what had no entry -> in how many events."""

    at: int = 0
    version: str = ""  # of the configuration
    empty: Sequence[EmptyField] = ()
    misses: Mapping[str, Mapping[str, Mapping[str, int]]] = {}


async def read_findings(shared: SharedState) -> FieldFindings:
    """Read what was found last. Raises StoreUnavailable."""
    found = await shared.get(_KEY)
    return FieldFindings() if found is None else _DECODER.decode(found)


async def save_findings(shared: SharedState, findings: FieldFindings) -> None:
    """Keep what was found. Raises StoreUnavailable."""
    await shared.put(_KEY, msgspec.json.encode(findings), _TTL_MS)


_DECODER = msgspec.json.Decoder(FieldFindings)
