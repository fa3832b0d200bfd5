"""Read what diagnoses are made of: the store, its queues, the sinks, the sources and Celery's broker."""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TypeVar

from redis.exceptions import RedisError

from relay.accounts.source_health import SourceHealth, examine_source
from relay.config.broker_address import is_amqp
from relay.errors import StoreUnavailable
from relay.model import ReceiptState, Record
from relay.operations.actions import Action, stored_action
from relay.operations.dead_letters import DeadLetters, read_dead_letters
from relay.operations.drift_reports import DriftReport, DriftReports
from relay.operations.failures import read_causes
from relay.operations.field_findings import EmptyField, read_findings
from relay.store.actions import Actions
from relay.store.connect import connect
from relay.store.failures import FailureCause
from relay.store.health import (
    Durability,
    MemorySample,
    MemoryUse,
    StoreLife,
    check_writable,
    read_durability,
    read_memory_samples,
    read_memory_use,
)
from relay.store.keys import Keys
from relay.store.queues import AccountState, SinkState
from relay.store.reader import Reader
from relay.store.record_memory import RecordMemory, read_record_memory
from relay.store.records import LiveWorker, Stall
from relay.store.shard_list import FIRST
from relay.store.shared_state import SharedState
from relay.store.source_use import read_source_fills

T = TypeVar("T")
BROKER_SECONDS = 3.0
SHARD_SECONDS = 3.0
DAY_MS = 24 * 3_600_000
BROKER_SEEN_MS = 180_000  # for which it stands what a worker's job has found of the broker
_BROKER = "broker"
_OF_THE_STORE = "the store cannot take it: "  # how errors of its client begin, whatever server it is about
STORE, WRITES = "store", "writes"  # the readings without which others are not taken, or mean little


class ShardReading(Record):
    """The readings of a further shard's store, or why there are none."""

    name: str
    failure: str = ""
    memory: MemoryUse | None = None
    durability: Durability | None = None


class Examination(Record):
    """The readings. Times are epoch milliseconds. `failures` says why a reading is None; `now`: the store answers."""

    now: int | None
    failures: Mapping[str, str] = {}
    durability: Durability | None = None
    memory: MemoryUse | None = None
    memory_samples: Sequence[MemorySample] = ()  # the newest first
    record_memory: RecordMemory | None = None  # None: nobody has measured it yet
    life: StoreLife | None = None
    clock_skew_ms: int = 0  # the store's clock minus this machine's
    workers: int | None = None
    live_workers: Sequence[LiveWorker] = ()
    stalls: Sequence[Stall] = ()  # the last first
    inbox: int | None = None  # receipts that wait to be routed, or are being routed
    oldest_unrouted_ms: int | None = None
    sinks: Sequence[SinkState] = ()
    accounts: Sequence[AccountState] = ()
    sources: Mapping[str, SourceHealth | None] = {}  # those with an api; None: no worker has checked it yet
    drift: Mapping[str, DriftReport] = {}  # of the sources that were compared with their accounts
    empty_fields: Sequence[EmptyField] = ()  # that are empty more often than they were
    dead_letters: DeadLetters | None = None
    fills: Mapping[str, float] = {}  # source -> which part of its share of the store it takes
    malformed: int = 0  # receipts of the last day
    quarantined: int = 0
    causes: Sequence[FailureCause] = ()  # of what is held or dead, the most frequent first
    erasures: Sequence[Action] = ()  # that are neither done nor given up, the oldest first
    broker: str | None = None  # why Celery's broker cannot be used; empty: it can; None: not known
    shards: Sequence[ShardReading] = ()  # the further ones

    @property
    def pending(self) -> int:
        """Return how many receipts and deliveries wait for a worker."""
        return (self.inbox or 0) + sum(sink.pending for sink in self.sinks if not sink.gate.paused)


class _Readings:
    """Takes readings, and notes why one could not be taken."""

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}

    async def take(self, what: str, reading: Awaitable[T]) -> T | None:
        try:
            return await reading
        except (StoreUnavailable, RedisError) as error:  # also what an account of the store may not do
            self.failures[what] = str(error)
            return None


async def examine(reader: Reader, sources_with_api: Iterable[str]) -> Examination:
    """Take all readings that can be taken. Never raises StoreUnavailable."""
    readings, client = _Readings(), reader.client
    take = readings.take
    before = time.time_ns() // 1_000_000
    now = await take(STORE, reader.now())
    after = time.time_ns() // 1_000_000
    if now is None:
        return Examination(now=None, failures=readings.failures)
    sources = list(sources_with_api)
    await take(WRITES, check_writable(client, reader.keys.probe))
    inbox = await take("inbox", reader.inbox())
    unrouted = await take("receipts", _count_unrouted(reader, now)) or (0, 0)
    memory = await take("memory", read_memory_use(client))
    workers = await take("workers", reader.live_workers())
    sinks = await take("sinks", reader.sinks()) or ()
    return Examination(
        now=now,
        failures=readings.failures,
        durability=await take("durability", read_durability(client, reader.keys.probe)),
        memory=memory,
        dead_letters=await take("dead letters", read_dead_letters(client, reader.keys)),
        fills={} if memory is None else await take("sources", read_source_fills(client, reader.keys, memory)) or {},
        memory_samples=await take("headroom", read_memory_samples(client, reader.keys.memory)) or (),
        record_memory=await take("memory", read_record_memory(SharedState(client, reader.namespace))),
        life=await take("contents", reader.life()),
        clock_skew_ms=now - (before + after) // 2,
        workers=None if workers is None else len(workers),
        live_workers=workers or (),
        stalls=await take("workers", reader.stalls()) or (),
        inbox=None if inbox is None else sum(inbox),
        oldest_unrouted_ms=await take("inbox", reader.oldest_unrouted(now)),
        sinks=sinks,
        accounts=await take("accounts", reader.accounts()) or (),
        sources=await take("sources", _load_sources(reader, sources)) or {},
        drift=await take("sources", _load_drift(reader, sources)) or {},
        empty_fields=await take("sources", _load_empty_fields(reader)) or (),
        causes=await take("sinks", read_causes(reader, [one.name for one in sinks if one.held or one.dead])) or (),
        malformed=unrouted[0],
        quarantined=unrouted[1],
        erasures=await take("erasures", _load_erasures(reader)) or (),
        broker=await take("broker", _load_broker(reader)),
        shards=await examine_shards(reader),
    )


async def examine_shards(reader: Reader) -> list[ShardReading]:
    """Examine the stores of further shards, all at once. Never raises StoreUnavailable."""
    return list(await asyncio.gather(*[_examine_shard(*one) for one in reader.each.items() if one[0] != FIRST]))


async def _examine_shard(name: str, reader: Reader) -> ShardReading:
    try:
        async with asyncio.timeout(SHARD_SECONDS):
            await check_writable(reader.client, reader.keys.probe)
            memory = await read_memory_use(reader.client)
            durability = await read_durability(reader.client, reader.keys.probe)
    except TimeoutError:
        return ShardReading(name=name, failure=f"no answer within {SHARD_SECONDS:g} s")
    except (StoreUnavailable, RedisError) as error:
        return ShardReading(name=name, failure=str(error))
    return ShardReading(name=name, memory=memory, durability=durability)


async def _count_unrouted(reader: Reader, now: int) -> tuple[int, int]:
    (malformed,) = await reader.count([reader.keys.receipts_in(ReceiptState.MALFORMED)], now - DAY_MS, None)
    (quarantined,) = await reader.count([reader.keys.receipts_in(ReceiptState.QUARANTINED)], None, None)
    return malformed, quarantined


async def _load_drift(reader: Reader, names: Iterable[str]) -> dict[str, DriftReport]:
    found: dict[str, DriftReport] = {}
    for name in names:
        own = reader.of_source(name)
        found |= await DriftReports(SharedState(own.client, own.namespace)).read([name])
    return found


async def _load_broker(reader: Reader) -> str | None:
    found = await SharedState(reader.client, reader.namespace).get(_BROKER)
    return None if found is None else found.decode()


async def _load_erasures(reader: Reader) -> list[Action]:
    return [stored_action(one) for one in await Actions(reader.client, reader.namespace).open_erasures()]


async def _load_empty_fields(reader: Reader) -> Sequence[EmptyField]:
    return (await read_findings(SharedState(reader.client, reader.namespace))).empty


async def save_broker(shared: SharedState, failure: str | None) -> None:
    """Store whether a worker can use the broker, for those that examine the relay. Raises StoreUnavailable."""
    await shared.put(_BROKER, (failure or "").encode(), BROKER_SEEN_MS)


async def _load_sources(reader: Reader, names: Iterable[str]) -> dict[str, SourceHealth | None]:
    return {name: await examine_source(reader, name) for name in names}


async def examine_broker(url: str, namespace: str) -> str | None:
    """Return why Celery's broker cannot be used; None where it can."""
    if is_amqp(url):
        from relay.operations.amqp_broker import examine_amqp  # few have one, and it imports kombu

        return await asyncio.to_thread(examine_amqp, url, BROKER_SECONDS)
    readings, client = _Readings(), connect(url, answer_seconds=BROKER_SECONDS, connections=1)
    try:
        await readings.take("broker", check_writable(client, Keys(namespace).probe))
    finally:
        await client.aclose()
    failure = readings.failures.get("broker")
    return failure and failure.removeprefix(_OF_THE_STORE)
