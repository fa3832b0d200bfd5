"""How the relay itself stands: the store and what its memory is for, the workers and their versions, the queues."""

from collections.abc import Mapping, Sequence

from relay import __version__
from relay.config.config import Config
from relay.model import Record
from relay.operations.examination import Examination, examine
from relay.operations.headroom import Forecast, forecast
from relay.store.queues import AccountState
from relay.store.reader import Reader
from relay.store.record_memory import RecordMemory
from relay.store.records import LiveWorker, Stall


class StoreState(Record):
    """How the store stands. Null is what could not be read; `failures` of the whole says why. Sizes are bytes."""

    durability: str | None
    weakness: str  # why it may lose what was acknowledged
    used: int | None
    limit: int | None  # 0: it has none
    kinds: Mapping[str, int]  # what is used, by what it is for
    records: RecordMemory | None  # what the records take, by kind; null: no worker has measured it yet
    forecast: str  # when it is full; empty where it has no limit
    full_in_ms: int | None
    in_use_since: int | None
    emptied_at: int | None
    clock_skew_ms: int


class SystemState(Record):
    """How the relay itself stands, as of `at` (epoch milliseconds; null: the store does not answer)."""

    at: int | None
    version: str  # of the program that answers
    config: str
    store: StoreState
    workers: Sequence[LiveWorker]
    stalls: Sequence[Stall]
    inbox: int | None  # hooks that wait to be routed, or are being routed
    jobs: tuple[int, int]  # waiting, being done
    accounts: Sequence[AccountState]  # of which look-ups wait
    failures: Mapping[str, str]


async def read_system(reader: Reader, config: Config) -> SystemState:
    """Read it. Raises StoreUnavailable where not even the jobs can be read."""
    found = await examine(reader, config.sources_with_api)
    return describe_system(found, config, await reader.jobs())


def describe_system(found: Examination, config: Config, jobs: tuple[int, int]) -> SystemState:
    """Describe what was examined. Pure."""
    return SystemState(
        at=found.now,
        version=__version__,
        config=config.version,
        store=_store(found),
        workers=found.live_workers,
        stalls=found.stalls,
        inbox=found.inbox,
        jobs=jobs,
        accounts=found.accounts,
        failures=found.failures,
    )


def _store(found: Examination) -> StoreState:
    memory, ahead = found.memory, forecast_of(found)
    return StoreState(
        durability=None if found.durability is None else str(found.durability),
        weakness="" if found.durability is None else found.durability.weakness,
        used=None if memory is None else memory.used,
        limit=None if memory is None else memory.limit,
        kinds={} if memory is None else memory.kinds,
        records=found.record_memory,
        forecast="" if ahead is None else ahead.describe(),
        full_in_ms=None if ahead is None else ahead.full_in_ms,
        in_use_since=None if found.life is None else found.life.since,
        emptied_at=None if found.life is None else found.life.emptied_at,
        clock_skew_ms=found.clock_skew_ms,
    )


def forecast_of(found: Examination) -> Forecast | None:
    """Return when the store is full; None where it has no limit, or was not read."""
    if found.memory is None or not found.memory.limit:
        return None
    return forecast(found.memory_samples, found.memory, found.now or 0)
