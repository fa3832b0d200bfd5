"""Diagnose the relay: what is wrong, what that means, and what to do about it. Pure."""

from collections.abc import Container, Iterator, Mapping
from typing import Literal, TypeAlias

from relay.accounts.source_health import SourceHealth
from relay.config.config import Config
from relay.model import SUBSCRIBER, Record
from relay.operations.examination import Examination
from relay.sinks.subscriber.sink import is_subscriber
from relay.store.health import Durability, MemoryUse
from relay.store.queues import SinkState
from relay.timefmt import format_duration, format_time

SKEW_MS = 2_000
LATE_MS = 60_000

Grade: TypeAlias = Literal["good", "warning", "bad"]


class Diagnosis(Record):
    """How one thing stands. What that means and what to do is there where it is not good."""

    about: str
    grade: Grade
    found: str
    means: str = ""
    advice: str = ""


def diagnose(examination: Examination, config: Config) -> list[Diagnosis]:
    """Diagnose the configuration, the store, the sinks and the sources."""
    return [
        *diagnose_config(config),
        *diagnose_store(examination),
        *diagnose_sinks(examination, config.sinks),
        *diagnose_sources(examination.sources),
    ]


def diagnose_config(config: Config) -> Iterator[Diagnosis]:
    """Return what `relay check --strict` would refuse."""
    about = f"configuration {config.version}"
    if not config.findings:
        yield Diagnosis(about=about, grade="good", found="valid, and fit for production")
    for finding in config.findings:
        yield Diagnosis(
            about=f"{about}:{finding.file and f'{finding.file}:'}{finding.line}",
            grade="warning",
            found=finding.message,
            means="it works, but is not fit for production",
            advice="change the line",
        )


def diagnose_store(examination: Examination) -> Iterator[Diagnosis]:
    """Diagnose what the store survives, how full it is, its clock, and whether workers keep up."""
    yield _diagnose_durability(examination.durability)
    yield _diagnose_eviction(examination.durability.policy)
    yield _diagnose_memory(examination.memory)
    yield _diagnose_clock(examination.clock_skew_ms)
    yield _diagnose_workers(examination.oldest_unrouted_ms)


def _diagnose_durability(durability: Durability) -> Diagnosis:
    about = "what the store survives"
    if durability.grade == "fsync":
        found = f"{durability}: every write is on disk before it is confirmed"
        return Diagnosis(about=about, grade="good", found=found)
    if durability.grade == "everysec":
        means = "a crash of its machine may lose the last second of what was acknowledged to amoCRM"
        advice = "set appendfsync always; with RELAY_DURABILITY=strict the relay refuses this store"
        return Diagnosis(about=about, grade="warning", found=str(durability), means=means, advice=advice)
    means = "a restart of the store loses everything that is not delivered yet"
    advice = "set appendonly yes and appendfsync always"
    return Diagnosis(about=about, grade="bad", found=str(durability), means=means, advice=advice)


def _diagnose_eviction(policy: str) -> Diagnosis:
    if policy in ("noeviction", "unknown"):
        return Diagnosis(about="eviction", grade="good", found=policy)
    means = "a full store deletes keys, and hooks with them, without a word"
    return Diagnosis(about="eviction", grade="bad", found=policy, means=means, advice="set maxmemory-policy noeviction")


def _diagnose_memory(memory: MemoryUse) -> Diagnosis:
    about, used = "headroom", f"{memory.used / 2**20:.0f} MiB used"
    if not memory.limit:
        means = "it grows until its machine has no memory left, and is then killed"
        return Diagnosis(about=about, grade="warning", found=f"{used}, no limit", means=means, advice="set maxmemory")
    found = f"{used} of {memory.limit / 2**20:.0f} MiB"
    if memory.full:
        means = "new hooks are answered 503 until there is room again"
        advice = "give it more memory, or keep less: retention, dead letters"
        return Diagnosis(about=about, grade="bad", found=found, means=means, advice=advice)
    return Diagnosis(about=about, grade="good", found=found)


def _diagnose_clock(skew_ms: int) -> Diagnosis:
    if abs(skew_ms) <= SKEW_MS:
        return Diagnosis(about="clock", grade="good", found="the store's and this machine's agree")
    direction = "ahead of" if skew_ms > 0 else "behind"
    found = f"the store's is {format_duration(abs(skew_ms))} {direction} this machine's"
    means = "times in lists and logs do not fit together; deliveries go by the store's clock alone"
    return Diagnosis(about="clock", grade="warning", found=found, means=means, advice="run NTP on both machines")


def _diagnose_workers(oldest_unrouted_ms: int | None) -> Diagnosis:
    if oldest_unrouted_ms is None or oldest_unrouted_ms <= LATE_MS:
        return Diagnosis(about="workers", grade="good", found="no hook waits for long")
    found = f"the oldest hook has waited for {format_duration(oldest_unrouted_ms)}"
    means = "hooks are stored but not routed: no worker runs, or all are busy"
    return Diagnosis(about="workers", grade="bad", found=found, means=means, advice="start relay worker, or more of it")


def diagnose_sinks(examination: Examination, configured: Container[str]) -> Iterator[Diagnosis]:
    """Diagnose every sink: closed or paused, no longer configured, or with deliveries that need a person."""
    for sink in examination.sinks:
        known = sink.name in configured or is_subscriber(sink.name)
        problems = list(_sink_problems(sink, known, examination.now))
        yield from problems or [Diagnosis(about=f"sink {sink.name}", grade="good", found=f"{sink.waiting} waiting")]


def _sink_problems(sink: SinkState, known: bool, now: int) -> Iterator[Diagnosis]:
    about = f"sink {sink.name}"
    unfinished = sink.waiting + sink.in_flight + sink.held
    if not known and unfinished:
        means = f"it is in no configuration, and {unfinished} deliveries are still for it"
        yield Diagnosis(about=about, grade="bad", found="orphaned", means=means, advice="put it back into the file")
    if sink.gate.paused:  # only a subscriber's sink is: its subscription is disabled
        found, means = f"paused: {sink.gate.reason}", "its deliveries wait"
        advice = f"relay subscriptions enable {sink.name.removeprefix(SUBSCRIBER)}"
        yield Diagnosis(about=about, grade="warning", found=found, means=means, advice=advice)
    if until := sink.gate.closed_until(now):
        found = f"closed until {format_time(until)}: {sink.gate.reason}"
        means = "the sink refuses everything; its deliveries wait, nothing is lost"
        yield Diagnosis(about=about, grade="bad", found=found, means=means, advice="remove the cause that it names")
    yield from _deliveries_for_a_person(sink)


def _deliveries_for_a_person(sink: SinkState) -> Iterator[Diagnosis]:
    about = f"sink {sink.name}"
    if sink.held:
        means = "they may have arrived: only a person can find out"
        advice = "look there, then relay deliveries confirm or resend"
        yield Diagnosis(about=about, grade="warning", found=f"{sink.held} held", means=means, advice=advice)
    if sink.dead:
        means = "they were given up; nothing of them is lost"
        advice = f"relay deliveries list --sink {sink.name} --state dead shows why"
        yield Diagnosis(about=about, grade="warning", found=f"{sink.dead} dead letter(s)", means=means, advice=advice)


def diagnose_sources(sources: Mapping[str, SourceHealth | None]) -> Iterator[Diagnosis]:
    """Diagnose every source with an api: whether it is silent, and whether amoCRM has disabled its hook."""
    for name, health in sources.items():
        yield _diagnose_source(name, health)


def _diagnose_source(name: str, health: SourceHealth | None) -> Diagnosis:
    about = f"source {name}"
    if health is None:
        means = "no worker has checked it yet"
        return Diagnosis(about=about, grade="warning", found="unknown", means=means, advice="start relay worker")
    last = f"last hook {format_time(health.last_at)}" if health.last_at is not None else "no hook yet"
    reconnect = f"relay connect {name} --url … --enable; what was missed is then caught up automatically"
    if health.hook == "disabled":
        means = "amoCRM has disabled the hook after too many failures, and sends nothing"
        return Diagnosis(about=about, grade="bad", found=f"disabled, {last}", means=means, advice=reconnect)
    if health.silent:
        means = f"by its rhythm a hook should have come within {format_duration(health.max_silence_ms or 0)}"
        advice = f"is the address right? {reconnect}"
        return Diagnosis(about=about, grade="bad", found=f"silent, {last}", means=means, advice=advice)
    if health.hook == "missing":
        means = "the account has no webhook to this relay, or only one that leads to it under another address"
        advice = f"relay connect {name} --url …"
        return Diagnosis(about=about, grade="warning", found=f"not registered, {last}", means=means, advice=advice)
    if health.hook == "unknown":
        means = "nobody would notice that amoCRM has disabled the hook"
        return Diagnosis(about=about, grade="warning", found=last, means=means, advice=health.problem)
    return Diagnosis(about=about, grade="good", found=f"its hook is enabled, {last}")
