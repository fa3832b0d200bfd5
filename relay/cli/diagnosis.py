"""What is wrong, what that means, and what to do about it (pure)."""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from relay.accounts.source_health import SourceHealth
from relay.cli.timefmt import format_duration, format_time
from relay.config.load import Config
from relay.model import Record
from relay.store.health import Durability, MemoryUse
from relay.store.stored import SinkState

SKEW_MS = 2_000
LATE_MS = 60_000

Grade: TypeAlias = Literal["good", "warning", "bad"]


class Diagnosis(Record):
    """One thing that was looked at: how it is, what that means, and what to do; the last two where it is not good."""

    about: str
    grade: Grade
    found: str
    means: str = ""
    advice: str = ""


class Examination(Record):
    """All that the doctor looked at. Times are epoch milliseconds."""

    durability: Durability
    room: MemoryUse
    skew_ms: int  # the store's clock against ours
    oldest_unrouted_ms: int | None
    sinks: Sequence[SinkState]
    heard: Mapping[str, SourceHealth | None]  # of the sources with an api
    now: int


def of_config(found: Config) -> Iterator[Diagnosis]:
    """Return what `relay check --strict` would refuse."""
    about = f"configuration {found.version}"
    if not found.findings:
        yield Diagnosis(about=about, grade="good", found="valid, and fit for production")
    for one in found.findings:
        means = "it works, and is not fit for production"
        yield Diagnosis(
            about=f"{about}:{one.line}", grade="warning", found=one.text, means=means, advice="mend the line"
        )


def of_store(examined: Examination) -> Iterator[Diagnosis]:
    """Return what the store survives, how full it is, and whether its clock is right."""
    yield _durability(examined.durability)
    yield _eviction(examined.durability.policy)
    yield _room(examined.room)
    yield _clock(examined.skew_ms)
    late = examined.oldest_unrouted_ms
    if late is not None and late > LATE_MS:
        means = "hooks are stored, and nobody routes them: no worker runs, or all are busy"
        found = f"the oldest hook has waited for {format_duration(late)}"
        yield Diagnosis(
            about="workers", grade="bad", found=found, means=means, advice="start relay worker, or more of it"
        )
    else:
        yield Diagnosis(about="workers", grade="good", found="no hook waits for long")


def _durability(found: Durability) -> Diagnosis:
    about = "what the store survives"
    if found.grade == "fsync":
        return Diagnosis(about=about, grade="good", found=f"{found}: every write is on disk before it is confirmed")
    if found.grade == "everysec":
        means = "a crash of its machine may lose the last second of what was acknowledged to amoCRM"
        advice = "set appendfsync always; with RELAY_DURABILITY=strict the relay refuses this"
        return Diagnosis(about=about, grade="warning", found=str(found), means=means, advice=advice)
    means = "a restart of the store loses everything that is not delivered yet"
    return Diagnosis(
        about=about, grade="bad", found=str(found), means=means, advice="set appendonly yes and appendfsync always"
    )


def _eviction(policy: str) -> Diagnosis:
    if policy in ("noeviction", "unknown"):
        return Diagnosis(about="eviction", grade="good", found=policy)
    means = "a full store throws keys away, and hooks with them, without telling anybody"
    return Diagnosis(about="eviction", grade="bad", found=policy, means=means, advice="set maxmemory-policy noeviction")


def _room(found: MemoryUse) -> Diagnosis:
    used = f"{found.used / 2**20:.0f} MiB used"
    if not found.limit:
        means = "it grows until its machine has no memory left, and is then killed"
        return Diagnosis(
            about="headroom", grade="warning", found=f"{used}, no limit", means=means, advice="set maxmemory"
        )
    share = f"{used} of {found.limit / 2**20:.0f} MiB"
    if found.full:
        means = "new hooks are answered 503 until some of what is inside is worked off"
        advice = "give it more memory, or keep less: retention, dead letters"
        return Diagnosis(about="headroom", grade="bad", found=share, means=means, advice=advice)
    return Diagnosis(about="headroom", grade="good", found=share)


def _clock(skew_ms: int) -> Diagnosis:
    if abs(skew_ms) <= SKEW_MS:
        return Diagnosis(about="clock", grade="good", found="the store's and ours agree")
    way = "ahead of" if skew_ms > 0 else "behind"
    means = "times in lists and logs do not fit together; deliveries go by the store's clock alone"
    found = f"the store's is {format_duration(abs(skew_ms))} {way} ours"
    return Diagnosis(about="clock", grade="warning", found=found, means=means, advice="run NTP on both machines")


def of_sinks(examined: Examination, known: Container[str]) -> Iterator[Diagnosis]:
    """Return which sinks are closed, orphaned, or have dead letters."""
    for sink in examined.sinks:
        findings = list(_of_sink(sink, sink.name in known, examined.now))
        yield from findings or [Diagnosis(about=f"sink {sink.name}", grade="good", found=f"{sink.waiting} waiting")]


def _of_sink(sink: SinkState, known: bool, now: int) -> Iterator[Diagnosis]:
    about = f"sink {sink.name}"
    unfinished = sink.waiting + sink.in_flight + sink.held
    if not known and unfinished:
        means = f"it is in no configuration, and {unfinished} deliveries are still for it"
        yield Diagnosis(about=about, grade="bad", found="orphaned", means=means, advice="bring it back, or cancel them")
    if "paused" in sink.gate:
        yield Diagnosis(
            about=about, grade="warning", found="paused", means="its deliveries wait", advice="relay sinks resume"
        )
    if int(sink.gate.get("until", 0)) > now:
        found = f"closed until {format_time(int(sink.gate['until']))}: {sink.gate.get('reason', '')}"
        means = "the sink refuses all; its deliveries wait, and lose nothing"
        yield Diagnosis(about=about, grade="bad", found=found, means=means, advice="mend what it complains of")
    if sink.held:
        means = "they may have been applied: only a person can tell"
        yield Diagnosis(
            about=about, grade="warning", found=f"{sink.held} held", means=means, advice="look there, then decide"
        )
    if sink.dead:
        means = "they were given up, and are kept whole"
        advice = f"relay deliveries list --sink {sink.name} --state dead tells why"
        yield Diagnosis(about=about, grade="warning", found=f"{sink.dead} dead letters", means=means, advice=advice)


def of_sources(heard: Mapping[str, SourceHealth | None]) -> Iterator[Diagnosis]:
    """Return which sources are silent, and whose hooks amoCRM has switched off."""
    for name, one in heard.items():
        yield _of_source(name, one)


def _of_source(name: str, heard: SourceHealth | None) -> Diagnosis:
    about = f"source {name}"
    if heard is None:
        means = "no worker has listened for it yet"
        return Diagnosis(about=about, grade="warning", found="unknown", means=means, advice="start relay worker")
    last = f"last heard {format_time(heard.last_at)}" if heard.last_at is not None else "never heard"
    again = f"relay connect {name} --url … --enable; what was missed is caught up by itself"
    if heard.hook == "disabled":
        means = "amoCRM has switched the hook off after too many failures, and sends nothing"
        return Diagnosis(about=about, grade="bad", found=f"disabled, {last}", means=means, advice=again)
    if heard.silent:
        means = f"by its rhythm something should have come within {format_duration(heard.patience_ms or 0)}"
        return Diagnosis(
            about=about, grade="bad", found=f"silent, {last}", means=means, advice=f"is the address right? {again}"
        )
    if heard.hook == "missing":
        means = "the account has no webhook to this relay, or it was made without relay connect under another address"
        advice = f"relay connect {name} --url …"
        return Diagnosis(about=about, grade="warning", found=f"not registered, {last}", means=means, advice=advice)
    if heard.hook == "unknown":
        means = "nobody would notice that amoCRM has switched the hook off"
        return Diagnosis(about=about, grade="warning", found=last, means=means, advice=heard.problem)
    return Diagnosis(about=about, grade="good", found=f"its hook is enabled, {last}")
