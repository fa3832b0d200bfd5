"""Diagnose the sources: whether their hooks arrive. Pure."""

from collections.abc import Iterator, Mapping

from relay.accounts.source_health import SourceHealth
from relay.operations.diagnosis import Diagnosis
from relay.timefmt import format_duration, format_time


def diagnose_sources(sources: Mapping[str, SourceHealth | None]) -> Iterator[Diagnosis]:
    """Diagnose every source with an api: whether it is silent, and whether amoCRM has disabled its hook."""
    for name, health in sources.items():
        yield _diagnose_source(name, health)


def _diagnose_source(name: str, health: SourceHealth | None) -> Diagnosis:
    about = f"source {name}"
    if health is None:
        means = "no worker has checked it yet"
        return Diagnosis(about=about, grade="warning", found="unknown", means=means, advice="start relay worker")
    last = f"last hook {format_time(health.last_hook_at)}" if health.last_hook_at is not None else "no hook yet"
    reconnect = f"relay connect {name} --url … --enable; what was missed is then caught up automatically"
    if health.hook == "disabled":
        means = "amoCRM has disabled the hook after too many failures, and sends nothing"
        return Diagnosis(about=about, grade="bad", found=f"disabled, {last}", means=means, advice=reconnect)
    if health.silent:
        means = f"by its rhythm a hook should have come within {format_duration(health.max_silence_ms or 0)}"
        advice = f"is the address right? {reconnect}"
        return Diagnosis(about=about, grade="bad", found=f"silent, {last}", means=means, advice=advice)
    if health.hook == "missing":
        asked = f"when it was asked at {format_time(health.checked_at)}"
        means = f"{asked}, the account had no webhook to this relay, or only one to another address of it"
        advice = f"relay connect {name} --url …; where that is done, wait: the account is asked once a minute"
        return Diagnosis(about=about, grade="warning", found=f"not registered, {last}", means=means, advice=advice)
    if health.hook == "unknown":
        means = "nobody would notice that amoCRM has disabled the hook"
        return Diagnosis(about=about, grade="warning", found=last, means=means, advice=health.problem)
    return Diagnosis(about=about, grade="good", found=f"its hook is enabled, {last}")
