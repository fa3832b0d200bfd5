"""Keep how often watched fields are empty, day by day, and what follows from that."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from relay.config.config import Config
from relay.model import Record
from relay.operations.emptiness import day_shares, find_rise
from relay.operations.field_findings import EmptyField, FieldFindings, save_findings
from relay.planning.field_counts import FieldCounts, WatchedRoute
from relay.store.shared_state import SharedState

KEPT_DAYS: Final = 28
MISSED_DAYS: Final = 7  # for which it is told that a table had no entry
MOST_MISSED: Final = 200  # of a source's table and day
ENDED_DAYS: Final = 2  # without an event of it, after which nothing is told of a field
_TTL_MS: Final = 40 * 24 * 3_600_000
_REACH: Final = "fields:reach"


class FieldReach(Record):
    """How far receipts are counted: the arrival (epoch milliseconds) and the id of the last one."""

    score: int = 0
    member: str = ""


class _Counted(Record):
    seen: Mapping[str, int] = {}
    empty: Mapping[str, int] = {}
    misses: Mapping[str, Mapping[str, int]] = {}


class FieldDays:
    """The counts of one relay. Every method raises StoreUnavailable."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared

    async def reach(self) -> FieldReach:
        """Return how far receipts are counted."""
        found = await self._shared.get(_REACH)
        return FieldReach() if found is None else _REACH_DECODER.decode(found)

    async def add(self, counts: Mapping[tuple[str, str], FieldCounts], reach: FieldReach) -> None:
        """Add counts, by source and day, and how far receipts are counted with them: both or neither."""
        days = await self._read({day for _, day in counts})
        for (source, day), more in counts.items():
            own = days.setdefault(day, {})
            own[source] = _sum(own.get(source, _Counted()), more)
        values = {_day_key(day): msgspec.json.encode(sources) for day, sources in days.items()}
        await self._shared.put_all({**values, _REACH: msgspec.json.encode(reach)}, _TTL_MS)

    async def conclude(self, config: Config, watched: Mapping[str, Sequence[WatchedRoute]]) -> FieldFindings:
        """Find out which fields are empty more often, and what tables lack, and keep that."""
        now = self._shared.clock.ms()
        # Of zones east of UTC, tomorrow has begun.
        last = datetime.fromtimestamp(now / 1000, UTC).date() + timedelta(days=1)
        days = await self._read({str(last - timedelta(days=back)) for back in range(KEPT_DAYS + 1)})
        findings = FieldFindings(
            at=now,
            version=config.version,
            empty=[one for source in watched for one in _empty_fields(source, days, watched[source], config, last)],
            misses=_missed(days, last),
        )
        await save_findings(self._shared, findings)
        return findings

    async def _read(self, days: Iterable[str]) -> dict[str, dict[str, _Counted]]:
        keys = {_day_key(day): day for day in days}
        found = await self._shared.get_all(list(keys))
        return {keys[key]: _DAY.decode(value) for key, value in found.items()}


def day_of(at: int, timezone: str) -> str:
    """Return the day of a time (epoch milliseconds) in a source's zone."""
    return str(datetime.fromtimestamp(at / 1000, ZoneInfo(timezone)).date())


def _sum(before: _Counted, more: FieldCounts) -> _Counted:
    misses = {}
    for table in before.misses.keys() | more.misses.keys():
        both = Counter(before.misses.get(table, {})) + more.misses.get(table, Counter())
        misses[table] = dict(both.most_common(MOST_MISSED))
    return _Counted(
        seen=dict(Counter(before.seen) + more.seen), empty=dict(Counter(before.empty) + more.empty), misses=misses
    )


def _empty_fields(
    source: str,
    days: Mapping[str, Mapping[str, _Counted]],
    watched: Iterable[WatchedRoute],
    config: Config,
    last: date,
) -> list[EmptyField]:
    found: dict[tuple[str, str], EmptyField] = {}
    for field in (field for route in watched for field in route.fields):
        counts = {
            day: (own.seen.get(field.key, 0), own.empty.get(field.key, 0))
            for day, sources in days.items()
            if (own := sources.get(source)) is not None
        }
        shares = day_shares(counts)
        rise = find_rise(shares)
        if rise is None or date.fromisoformat(shares[-1].day) < last - timedelta(days=ENDED_DAYS + 1):
            continue
        begun = datetime.fromisoformat(rise.day).replace(tzinfo=ZoneInfo(config.sources[source].timezone))
        found.setdefault(
            (field.route, f"{field.custom} {field.field}"),
            EmptyField(
                source=source, route=field.route, field=field.field, custom=field.custom,
                since=round(begun.timestamp() * 1000), share=rise.share, events=rise.events, usual=rise.usual,
            ),
        )  # fmt: skip
    return list(found.values())


def _missed(days: Mapping[str, Mapping[str, _Counted]], last: date) -> dict[str, dict[str, dict[str, int]]]:
    """Add up what tables had no entry for in the last days."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for back in range(MISSED_DAYS + 1):
        for source, counted in days.get(str(last - timedelta(days=back)), {}).items():
            for table, keys in counted.misses.items():
                own = found.setdefault(source, {}).setdefault(table, {})
                for key, count in keys.items():
                    own[key] = own.get(key, 0) + count
    return found


def _day_key(day: str) -> str:
    return f"fields:day:{day}"


_REACH_DECODER = msgspec.json.Decoder(FieldReach)
_DAY = msgspec.json.Decoder(dict[str, _Counted])
