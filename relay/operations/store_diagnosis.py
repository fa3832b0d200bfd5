"""Diagnose the store, Celery's broker, and whether workers keep up. Pure."""

from collections.abc import Iterator, Sequence

from relay.operations.diagnosis import Diagnosis, Grade, HelpfulAct
from relay.operations.examination import STORE, WRITES, Examination, ShardReading
from relay.operations.headroom import Forecast, forecast
from relay.store.health import Durability, MemoryUse, StoreLife
from relay.store.records import Stall
from relay.timefmt import format_duration, format_time

SKEW_MS = 2_000
LATE_MS = 60_000
NEW_MS = 24 * 3_600_000
SOON_MS = 3 * NEW_MS  # a warning while there is time to act
EMPTIED_MS = 7 * NEW_MS  # in which it is told that everything was deleted
NEARLY_FULL = 0.7  # of its memory: hooks are refused at 85 %
_LOOK = HelpfulAct(name="show-system", command="relay doctor")


def diagnose_store(examination: Examination) -> Iterator[Diagnosis]:
    """Diagnose what the store survives, how full it is, since when, its clock, and whether workers keep up."""
    failures = examination.failures
    if (reason := failures.get(STORE)) is not None:
        yield _unreachable(reason)
        return
    if (reason := failures.get(WRITES)) is not None:
        yield _refuses_writes(reason)
    if examination.durability is not None:
        yield _diagnose_durability(examination.durability)
        yield _diagnose_eviction(examination.durability.policy)
    if examination.memory is not None:
        samples = examination.memory_samples
        yield _diagnose_memory(examination.memory, forecast(samples, examination.memory, examination.now or 0))
    if examination.life is not None and examination.now is not None:
        yield _diagnose_life(examination.life, examination.now)
    yield _diagnose_clock(examination.clock_skew_ms)
    if examination.workers is not None:
        yield _diagnose_workers(examination, examination.workers)
    yield from _diagnose_stalls(examination.stalls)
    yield from (_unread(what, reason) for what, reason in failures.items() if what != WRITES)
    yield from map(_diagnose_shard, examination.shards)


def diagnose_broker(failure: str | None) -> Diagnosis:
    """Diagnose Celery's broker, of which `failure` says why it cannot be used."""
    if failure is None:
        return Diagnosis(about="broker", grade="good", found="it takes messages")
    means = "workers go on without bells: work begins up to two seconds later"
    advice = "is CELERY_BROKER_URL right (by default it is REDIS_URL), and does that server run and take writes?"
    return Diagnosis(
        about="broker",
        grade="bad",
        found=failure,
        means=means,
        advice=advice,
        kind="broker-away",
        cause=failure,
        act=_LOOK,
    )


def _diagnose_shard(shard: ShardReading) -> Diagnosis:
    """Diagnose a further shard: whether it answers, has room, and survives a crash."""
    about = f"shard {shard.name}"
    if shard.failure or shard.memory is None or shard.durability is None:
        means = "hooks of its sources are answered 503, their deliveries wait, and lists and sums here are without it"
        return _of_shard(shard, "shard-away", "bad", shard.failure, means, "does the node run that has its slot?")
    if shard.memory.full:
        found = f"{shard.memory.used / shard.memory.limit:.0%} of its maxmemory"
        means = "new hooks of its sources are answered 503 until there is room again"
        return _of_shard(shard, "shard-full", "bad", found, means, "give it more memory, or keep less")
    if shard.durability.weakness:
        means = "a crash of its machine may lose what was acknowledged to amoCRM"
        return _of_shard(shard, "shard-weak", "warning", str(shard.durability), means, "set appendfsync always")
    return Diagnosis(about=about, grade="good", found=f"{shard.memory.used / 2**20:.0f} MiB used, {shard.durability}")


def _of_shard(shard: ShardReading, kind: str, grade: Grade, found: str, means: str, advice: str) -> Diagnosis:
    return Diagnosis(
        about=f"shard {shard.name}", grade=grade, found=found, means=means, advice=advice, kind=kind,
        subject=shard.name, cause=found, act=HelpfulAct(name="show-system", command="relay shards list"),
    )  # fmt: skip


def _unreachable(reason: str) -> Diagnosis:
    means = "hooks are answered 503, nothing is delivered, and nothing below the store can be examined"
    advice = "is REDIS_URL right, and does the store run?"
    return Diagnosis(
        about="store", grade="bad", found=reason, means=means, advice=advice, kind="store-away", cause=reason, act=_LOOK
    )


def _refuses_writes(reason: str) -> Diagnosis:
    means = "new hooks are answered 503"
    return Diagnosis(
        about="writes", grade="bad", found=reason, means=means, advice="remove the cause that it names",
        kind="store-refuses-writes", cause=reason, act=_LOOK,
    )  # fmt: skip


def _unread(what: str, reason: str) -> Diagnosis:
    means = f"the {what} could not be examined"
    return Diagnosis(
        about=what, grade="bad", found=reason, means=means, advice="remove the cause that it names",
        kind="unread", subject=what, cause=reason, act=_LOOK,
    )  # fmt: skip


def _diagnose_durability(durability: Durability) -> Diagnosis:
    about = "what the store survives"
    if durability.grade == "fsync":
        found = f"{durability}: every write is on disk before it is confirmed"
        return Diagnosis(about=about, grade="good", found=found)
    if durability.grade == "everysec":
        means = "a crash of its machine may lose the last second of what was acknowledged to amoCRM"
        advice = "set appendfsync always; with RELAY_DURABILITY=strict the relay refuses this store"
        return _of_store("store-weak", about, "warning", str(durability), means, advice)
    means = "a restart of the store loses everything that is not delivered yet"
    advice = "set appendonly yes and appendfsync always"
    return _of_store("store-weak", about, "bad", str(durability), means, advice)


def _diagnose_eviction(policy: str) -> Diagnosis:
    if policy in ("noeviction", "unknown"):
        return Diagnosis(about="eviction", grade="good", found=policy)
    means = "a full store deletes keys, and hooks with them, without a word"
    return _of_store("store-evicts", "eviction", "bad", policy, means, "set maxmemory-policy noeviction")


def _diagnose_memory(memory: MemoryUse, ahead: Forecast) -> Diagnosis:
    about, used = "headroom", f"{memory.used / 2**20:.0f} MiB used"
    if not memory.limit:
        means = "it grows until its machine has no memory left, and is then killed"
        return _of_store("store-unbounded", about, "warning", f"{used}, no limit", means, "set maxmemory")
    found = f"{memory.used / memory.limit:.0%} of maxmemory: {used} of {memory.limit / 2**20:.0f} MiB"
    if memory.full:
        means = "new hooks are answered 503 until there is room again"
        advice = "give it more memory, or keep less: retention, dead letters"
        return _of_store("store-full", about, "bad", found, means, advice)
    found = f"{found}, {ahead.describe()}"
    soon = ahead.full_in_ms is not None and ahead.full_in_ms < SOON_MS
    if soon or memory.used >= memory.limit * NEARLY_FULL:
        means = "at 85 % new hooks are answered 503; what is stored goes on being delivered"
        advice = "give it more memory, or keep less: retention, dead letters"
        return _of_store("store-nearly-full", about, "warning", found, means, advice)
    return Diagnosis(about=about, grade="good", found=found)


def _of_store(kind: str, about: str, grade: Grade, found: str, means: str, advice: str) -> Diagnosis:
    return Diagnosis(
        about=about, grade=grade, found=found, means=means, advice=advice, kind=kind, cause=found, act=_LOOK
    )


def _diagnose_life(life: StoreLife, now: int) -> Diagnosis:
    about = "contents"
    if life.emptied_at is not None and now - life.emptied_at < EMPTIED_MS:
        found = f"everything was deleted; a worker found it so {format_duration(max(now - life.emptied_at, 0))} ago"
        means = (
            "hooks that were acknowledged before and not delivered yet are lost, and what once was sent is forgotten"
        )
        advice = (
            "relay catch-up asks amoCRM for them; nothing may run FLUSHALL here, and its data must outlive a restart"
        )
        return Diagnosis(
            about=about, grade="bad", found=found, means=means, advice=advice, kind="store-emptied",
            since=life.emptied_at, act=_LOOK,
        )  # fmt: skip
    if life.since is None:
        return Diagnosis(about=about, grade="good", found="new: no worker has used it yet, and nothing is in it")
    age_ms = max(now - life.since, 0)
    new = "new, with nothing of an earlier store: " if age_ms < NEW_MS else ""
    return Diagnosis(about=about, grade="good", found=f"{new}in use for {format_duration(age_ms)}")


def _diagnose_clock(skew_ms: int) -> Diagnosis:
    if abs(skew_ms) <= SKEW_MS:
        return Diagnosis(about="clock", grade="good", found="the store's and this machine's agree")
    direction = "ahead of" if skew_ms > 0 else "behind"
    found = f"the store's is {format_duration(abs(skew_ms))} {direction} this machine's"
    means = "times in lists and logs do not fit together; deliveries go by the store's clock alone"
    return _of_store("clock-differs", "clock", "warning", found, means, "run NTP on both machines")


def _diagnose_workers(examination: Examination, workers: int) -> Diagnosis:
    about, pending, oldest_ms = "workers", examination.pending, examination.oldest_unrouted_ms
    if workers == 0 and pending:
        found = f"none runs; hooks and deliveries that wait: {pending}"
        means = "hooks are stored, and nothing is routed or delivered"
        return _of_workers("workers-gone", "bad", found, means, "start relay worker", pending)
    if workers == 0:
        means = "hooks will be stored, and nothing will be routed or delivered"
        return _of_workers("workers-gone", "warning", "none runs", means, "start relay worker", None)
    if oldest_ms is not None and oldest_ms > LATE_MS:
        found = f"the oldest hook has waited for {format_duration(oldest_ms)}"
        means = "hooks are stored and not routed in time: all workers are busy"
        return _of_workers("workers-behind", "bad", found, means, "start more of relay worker", examination.inbox)
    return Diagnosis(about=about, grade="good", found=f"{workers} at work, no hook waits for long")


def _of_workers(kind: str, grade: Grade, found: str, means: str, advice: str, count: int | None) -> Diagnosis:
    act = HelpfulAct(name="show-system", command=advice.removeprefix("start ").removeprefix("more of "))
    return Diagnosis(
        about="workers", grade=grade, found=found, means=means, advice=advice, kind=kind, count=count, act=act
    )


def _diagnose_stalls(stalls: Sequence[Stall]) -> Iterator[Diagnosis]:
    """Diagnose what stood still, each part once: what is at fault may have ended several workers in turn."""
    for part in dict.fromkeys(stall.part for stall in stalls):
        those = [stall for stall in stalls if stall.part == part]
        last = f"last in worker {those[0].worker}, {format_time(those[0].at)}"
        times = f"{len(those)} times in the last hour, " if len(those) > 1 else ""
        yield Diagnosis(
            about=f"{part} of a worker",
            grade="bad",
            found=f"stood still, so the worker was ended: {times}{last}",
            means="what it held is tried again; what has ended five workers is put aside, and the rest goes on",
            advice="worker.stalled in its log has the stack; relay events list --state quarantined, "
            "relay dead list show what was put aside",
            kind="worker-stalled",
            subject=part,
            since=those[-1].at,
            count=len(those),
            act=_LOOK,
        )
