"""Diagnose the configuration: what of a valid one is not fit for production, and why another one is refused. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from relay.config.findings import Finding
from relay.operations.diagnosis import Diagnosis, HelpfulAct

_LOOK = HelpfulAct(name="show-routes", command="relay check --strict")


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
            kind="config-unfit",
            subject=_name(finding.message),
            cause=finding.message,
            act=_LOOK,
        )


_ADVICE: Final = (
    "relay check shows all of it; what has come into .env since counts from the next start or relay up --reload"
)


def diagnose_broken_config(about: str, errors: Iterable[str]) -> Iterator[Diagnosis]:
    """Return what makes a configuration, or the environment, unusable; each error is a line."""
    means = "a process that starts now ends at once; those that run keep the configuration they have"
    for error in errors:
        yield Diagnosis(
            about=about, grade="bad", found=error, means=means, advice=_ADVICE,
            kind="config-refused", subject=_name(error), cause=error, act=_LOOK,
        )  # fmt: skip


def _name(message: str) -> str:
    """Return a short name for a message, the same wherever its line is moved to."""
    return sha256(message.partition(": ")[2].encode() or message.encode()).hexdigest()[:8]
