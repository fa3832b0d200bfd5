"""Diagnose that an erasure has not come to its end. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from relay.operations.actions import Action
from relay.operations.diagnosis import Diagnosis, HelpfulAct
from relay.store.actions import ActionState
from relay.timefmt import format_duration

LATE_MS: Final = 600_000  # from which one that has not ended is a problem: attempts, and sinks that blink, are over


def diagnose_erasures(erasures: Iterable[Action], now: int) -> Iterator[Diagnosis]:
    """Diagnose the erasures that are neither done nor given up: failed, paused, or waiting for long. `now`: ms."""
    for one in erasures:
        if one.state is ActionState.FAILED:
            yield _failed(one)
        elif one.state is ActionState.PAUSED or now - one.started_at > LATE_MS:
            yield _open(one, now)


def _failed(erasure: Action) -> Diagnosis:
    means = "what is stored of that person, or what its sinks have, may be there still"
    advice = f"mend it and start it again, or give it up: relay actions abort {erasure.id} --why REASON"
    return Diagnosis(
        about=_about(erasure), grade="bad", found="failed", means=means, advice=advice, kind="erasure-failed",
        subject=erasure.id, since=erasure.ended_at, cause=erasure.problem, act=_show(erasure),
    )  # fmt: skip


def _open(erasure: Action, now: int) -> Diagnosis:
    paused = erasure.state is ActionState.PAUSED
    found = "paused" if paused else f"not done after {format_duration(now - erasure.started_at)}"
    means = "the person is not forgotten everywhere yet"
    look = f"relay actions show {erasure.id} says what it waits for"
    next = f"relay actions resume {erasure.id}" if paused else look
    advice = f"{next}; or give it up: relay actions abort {erasure.id} --why REASON"
    return Diagnosis(
        about=_about(erasure), grade="warning", found=found, means=means, advice=advice, kind="erasure-open",
        subject=erasure.id, since=erasure.started_at, cause=erasure.waits, act=_show(erasure),
    )  # fmt: skip


def _about(erasure: Action) -> str:
    return f"erasure {erasure.id}"


def _show(erasure: Action) -> HelpfulAct:
    return HelpfulAct(name="show-action", target=erasure.id, command=f"relay actions show {erasure.id}")
