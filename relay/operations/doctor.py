"""Diagnose the relay: what is wrong, what that means, and what to do about it. Pure."""

from collections.abc import Container, Iterable, Iterator, Sequence

from relay.config.findings import Finding
from relay.operations.diagnosis import Diagnosis
from relay.operations.examination import Examination
from relay.operations.sink_diagnosis import diagnose_accounts, diagnose_sinks
from relay.operations.source_diagnosis import diagnose_sources
from relay.operations.store_diagnosis import diagnose_store

_MEND_FIRST = "mend the configuration first"


def diagnose_config(version: str, findings: Sequence[Finding]) -> Iterator[Diagnosis]:
    """Return what `relay check --strict` would refuse of a valid configuration."""
    about = f"configuration {version}"
    if not findings:
        yield Diagnosis(about=about, grade="good", found="valid, and fit for production")
    for finding in findings:
        yield Diagnosis(
            about=f"{about}:{finding.file and f'{finding.file}:'}{finding.line}",
            grade="warning",
            found=finding.message,
            means="it works, but is not fit for production",
            advice="change the line",
        )


def diagnose_broken_config(about: str, errors: Iterable[str]) -> Iterator[Diagnosis]:
    """Return what makes a configuration, or the environment, unusable; each error is a line."""
    means = "a process that starts now ends at once; those that run keep the configuration they have"
    for error in errors:
        yield Diagnosis(about=about, grade="bad", found=error, means=means, advice="relay check shows all of it")


def diagnose(examination: Examination, configured: Container[str] | None) -> list[Diagnosis]:
    """Diagnose the store, the workers, the sinks, the accounts and the sources.

    `configured`: the sinks of the configuration; None where that cannot be read.
    """
    found = list(diagnose_store(examination))
    if (now := examination.now) is not None:
        found += diagnose_sinks(examination.sinks, configured, now)
        found += diagnose_accounts(examination.accounts, now)
        found += diagnose_sources(examination.sources)
    if configured is None:
        means = "the configuration says which have an api, and which sinks are still wanted"
        found += [Diagnosis(about="sources", grade="warning", found="not examined", means=means, advice=_MEND_FIRST)]
    return found
