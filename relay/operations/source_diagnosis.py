"""Diagnose the sources: whether their hooks arrive. Pure."""

from collections.abc import Iterator, Mapping
from statistics import median

from relay.accounts.source_health import SourceHealth
from relay.operations.diagnosis import Diagnosis, Grade, HelpfulAct
from relay.store.queues import FILLING
from relay.timefmt import format_duration, format_time


def diagnose_sources(sources: Mapping[str, SourceHealth | None]) -> Iterator[Diagnosis]:
    """Diagnose every source with an api: whether it is silent, and whether amoCRM has disabled its hook."""
    for name, health in sources.items():
        yield _diagnose_source(name, health)


def _diagnose_source(name: str, health: SourceHealth | None) -> Diagnosis:
    about = f"source {name}"
    if health is None:
        means = "no worker has checked it yet"
        return _problem("source-unchecked", name, "warning", "unknown", means, "start relay worker", "relay worker")
    last = f"last hook {format_time(health.last_hook_at)}" if health.last_hook_at is not None else "no hook yet"
    connect = f"relay connect {name} --url … --enable"
    reconnect = f"{connect}; what was missed is then caught up automatically"
    if health.hook == "disabled":
        means = "amoCRM has disabled the hook after too many failures, and sends nothing"
        since = health.outage_since if health.outage_since is not None else health.last_hook_at
        return _problem("hook-disabled", name, "bad", f"disabled, {last}", means, reconnect, connect, since)
    if health.silent:
        means = f"by its rhythm a hook should have come within {format_duration(health.max_silence_ms or 0)}"
        advice = f"is the address right? {reconnect}"
        return _problem(
            "source-silent", name, "bad", _silence(health, last), means, advice, connect, health.last_hook_at
        )
    if health.hook == "missing":
        asked = f"when it was asked at {format_time(health.checked_at)}"
        means = f"{asked}, the account had no webhook to this relay, or only one to another address of it"
        advice = f"relay connect {name} --url …; where that is done, wait: the account is asked once a minute"
        command = f"relay connect {name} --url …"
        return _problem("hook-missing", name, "warning", f"not registered, {last}", means, advice, command)
    if health.hook == "unknown":
        means = "nobody would notice that amoCRM has disabled the hook"
        command = f"relay connect {name} --url …"
        return _problem("hook-unknown", name, "warning", last, means, health.problem, command, cause=health.problem)
    return Diagnosis(about=about, grade="good", found=f"its hook is enabled, {last}")


def _silence(health: SourceHealth, last: str) -> str:
    """Say for how long it has been silent, and what pause is usual."""
    usual = format_duration(round(median(health.gaps)))
    if health.last_hook_at is None:
        return f"silent, {last}; usual pause {usual}"
    return f"silent for {format_duration(max(health.checked_at - health.last_hook_at, 0))}, usual pause {usual}, {last}"


def _problem(
    kind: str, source: str, grade: Grade, found: str, means: str, advice: str, command: str,
    since: int | None = None, cause: str = "",
) -> Diagnosis:  # fmt: skip
    return Diagnosis(
        about=f"source {source}", grade=grade, found=found, means=means, advice=advice, kind=kind, subject=source,
        since=since, cause=cause, act=HelpfulAct(name="show-source", target=source, command=command),
    )  # fmt: skip


def diagnose_shares(fills: Mapping[str, float]) -> Iterator[Diagnosis]:
    """Diagnose the sources that take their share of the store, or come near it."""
    for source, fill in fills.items():
        if fill >= FILLING:
            yield _diagnose_share(source, fill)


def _diagnose_share(source: str, fill: float) -> Diagnosis:
    found = f"its hooks take {fill:.0%} of its share of the store"
    means = "from 100% on they are answered 503, and amoCRM sends them again; other sources go on"
    advice = "does it send in a loop, or is a sink of it down? Else raise its share, or keep less: retention"
    command = f"relay events list --source {source}"
    return Diagnosis(
        about=f"source {source}", grade="bad" if fill >= 1 else "warning", found=found, means=means, advice=advice,
        kind="source-over-share" if fill >= 1 else "source-filling", subject=source,
        act=HelpfulAct(name="show-source", target=source, command=command),
    )  # fmt: skip
