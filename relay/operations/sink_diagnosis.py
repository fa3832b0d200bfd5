"""Diagnose the sinks, and the accounts in which deliveries are looked up. Pure."""

from collections.abc import Container, Iterable, Iterator

from relay.model import SUBSCRIBER
from relay.operations.diagnosis import Diagnosis, Grade
from relay.sinks.subscriber.sink import is_subscriber
from relay.store.outcomes import Outcomes
from relay.store.queues import AccountState, SinkState
from relay.timefmt import format_duration, format_time

FAILING_MS = 60_000  # for so long nothing has succeeded: it is no blink any more
LATE_MS = 300_000  # for so long the oldest has been due


def diagnose_sinks(sinks: Iterable[SinkState], configured: Container[str] | None, now: int) -> Iterator[Diagnosis]:
    """Diagnose every sink: failing, closed, behind, no longer configured, or with deliveries that need a person.

    `configured`: the sinks of the configuration; None where that cannot be read. `now`: epoch milliseconds.
    """
    for sink in sinks:
        known = configured is None or sink.name in configured or is_subscriber(sink.name)
        problems = [*_state_problems(sink, known, now), *_deliveries_for_a_person(sink)]
        yield from problems or [Diagnosis(about=f"sink {sink.name}", grade="good", found=_found(sink, now))]


def _found(sink: SinkState, now: int) -> str:
    dead = f", {sink.dead} given up as amoCRM would" if is_subscriber(sink.name) and sink.dead else ""
    return f"{sink.waiting} waiting{dead}{_failures(sink.outcomes, now) if sink.outcomes.failed else ''}"


def _state_problems(sink: SinkState, known: bool, now: int) -> Iterator[Diagnosis]:
    about, unfinished = f"sink {sink.name}", sink.pending + sink.held
    if not known and unfinished:
        means = f"it is in no configuration, and {unfinished} deliveries are still for it"
        advice = "put it back into the file, or relay deliveries move ID --to SINK"
        yield Diagnosis(about=about, grade="bad", found="orphaned", means=means, advice=advice)
    if sink.gate.paused:
        yield _paused(sink)
    elif sink.gate.breaker:
        yield _tripped(sink, now)
    elif sink.gate.closed_until(now):
        yield _closed(sink)
    elif sink.failing_since is not None and now - sink.failing_since >= FAILING_MS:
        yield _failing(sink, now)
    elif sink.outcomes.high:
        yield _failing_in_part(sink, now)
    if sink.oldest_due_ms is not None and sink.oldest_due_ms > LATE_MS:
        found = f"the oldest of {sink.waiting} has been due for {format_duration(sink.oldest_due_ms)}"
        means = "more arrives than leaves"
        advice = "raise its rate or concurrency where the vendor allows it, else start more of relay worker"
        yield Diagnosis(about=about, grade="warning", found=found, means=means, advice=advice)


def _paused(sink: SinkState) -> Diagnosis:
    """Diagnose what a person paused, or a subscriber's, whose subscription is disabled."""
    gate, advice = sink.gate, f"relay sinks resume {sink.name}"
    if is_subscriber(sink.name):
        advice = f"relay subscriptions enable {sink.name.removeprefix(SUBSCRIBER)}"
    since = f" since {format_time(gate.paused_since)}" if gate.paused_since is not None else ""
    until = f" until {format_time(gate.paused_until)}" if gate.paused_until is not None else ""
    pause = gate.describe_pause()
    found = f"paused{since}{until}{' ' if gate.paused_by else ': '}{pause}{_waiting(sink)}"
    return Diagnosis(
        about=f"sink {sink.name}", grade="warning", found=found, means="its deliveries wait", advice=advice
    )


def _closed(sink: SinkState) -> Diagnosis:
    since = f" since {format_time(sink.gate.since)}" if sink.gate.since is not None else ""
    found = f"closed{since}, at least until {format_time(sink.gate.until)}: {sink.gate.reason}{_waiting(sink)}"
    means = "the sink refuses everything; its deliveries wait, nothing is lost"
    advice = f"remove the cause that it names; relay sinks probe {sink.name} asks without sending anything"
    return Diagnosis(
        about=f"sink {sink.name}", grade=_grade(sink), found=found, means=means, advice=advice,
    )  # fmt: skip


def _tripped(sink: SinkState, now: int) -> Diagnosis:
    since = _failures(sink.outcomes, now)
    found = f"nothing is delivered, its gate is closed{since}: {sink.gate.reason}{_waiting(sink)}"
    means = "its deliveries wait and cost no attempts; one is tried now and then, and when it arrives all go on"
    advice = f"relay sinks show {sink.name} tells since when; relay sinks resume {sink.name} tries all at once"
    return Diagnosis(about=f"sink {sink.name}", grade=_grade(sink), found=found, means=means, advice=advice)


def _failing(sink: SinkState, now: int) -> Diagnosis:
    found = f"nothing is delivered{_failures(sink.outcomes, now)}{_waiting(sink)}"
    means = "every attempt fails; deliveries are tried again, and given up on when their attempts are used up"
    return Diagnosis(about=f"sink {sink.name}", grade=_grade(sink), found=found, means=means, advice=_look(sink))


def _failing_in_part(sink: SinkState, now: int) -> Diagnosis:
    found = f"much fails{_failures(sink.outcomes, now)}{_waiting(sink)}"
    means = "what failed is tried again, or was given up on: some events are wrong for it, or it is unwell"
    return Diagnosis(about=f"sink {sink.name}", grade="warning", found=found, means=means, advice=_look(sink))


def _grade(sink: SinkState) -> Grade:
    """Return how bad it is: a subscriber's server is its owner's to mend, and is disabled by itself."""
    return "warning" if is_subscriber(sink.name) else "bad"


def _look(sink: SinkState) -> str:
    return f"relay deliveries list --sink {sink.name} shows the reasons; relay stats shows it getting better"


def _failures(outcomes: Outcomes, now: int) -> str:
    """Say what share of attempts failed, and since when that is so."""
    since = outcomes.row_since if outcomes.row_since is not None else outcomes.high_since
    when = f", since {format_time(since)} ({format_duration(now - since)})" if since is not None else ""
    if not outcomes.attempts:
        return f"{when}: {outcomes.row} attempts failed, none in the last hour"
    return f"{when}: {outcomes.share:.0%} of {outcomes.attempts} attempts failed in the last hour"


def _waiting(sink: SinkState) -> str:
    if sink.oldest_pending_ms is None:
        return ""
    return f"; {sink.pending} wait, the oldest for {format_duration(sink.oldest_pending_ms)}"


def _deliveries_for_a_person(sink: SinkState) -> Iterator[Diagnosis]:
    about = f"sink {sink.name}"
    if sink.held:
        means = "they may have arrived: only a person can find out"
        advice = "look there, then relay deliveries confirm or resend"
        if sink.type == "http":
            advice += "; for fewer of them, let its idempotency say what they promise (docs/sinks.md)"
        yield Diagnosis(about=about, grade="warning", found=f"{sink.held} held", means=means, advice=advice)
    if sink.dead and not is_subscriber(sink.name):  # amoCRM would have given up on a subscriber's too
        means = "they were given up; nothing of them is lost"
        advice = f"relay dead list --sink {sink.name} shows why"
        yield Diagnosis(about=about, grade="warning", found=f"{sink.dead} dead letter(s)", means=means, advice=advice)


def diagnose_accounts(accounts: Iterable[AccountState], now: int) -> Iterator[Diagnosis]:
    """Diagnose the accounts of which something waits to be looked up. `now`: epoch milliseconds."""
    for account in accounts:
        yield _diagnose_account(account, now)


def _diagnose_account(account: AccountState, now: int) -> Diagnosis:
    about, waiting = f"look-ups of {account.source}", account.waiting + account.in_flight
    means = f"{waiting} deliveries need the account before they can be sent; they wait, nothing is lost"
    since = account.failing_since
    if account.gate.closed_until(now):
        found = f"closed at least until {format_time(account.gate.until)}: {account.gate.reason}"
        advice = "remove the cause that it names"
        return Diagnosis(about=about, grade="bad", found=found, means=means, advice=advice)
    if since is not None and now - since >= FAILING_MS:
        found = f"none succeeds{_failures(account.outcomes, now)}"
        advice = "relay deliveries list --state pending shows the reasons"
        return Diagnosis(about=about, grade="bad", found=found, means=means, advice=advice)
    if account.oldest_due_ms is not None and account.oldest_due_ms > LATE_MS:
        found = f"the oldest has been due for {format_duration(account.oldest_due_ms)}"
        advice = "start relay worker, or more of it; the account's rate limits how fast it is asked"
        return Diagnosis(about=about, grade="bad", found=found, means=means, advice=advice)
    return Diagnosis(about=about, grade="good", found=f"{waiting} waiting")
