"""Diagnose the sinks. Pure."""

from collections.abc import Container, Iterable, Iterator, Sequence

from relay.model import SUBSCRIBER, DeliveryState, is_subscriber
from relay.operations.diagnosis import Diagnosis, Grade, HelpfulAct
from relay.store.failures import FailureCause
from relay.store.outcomes import Outcomes
from relay.store.queues import FILLING, SinkState
from relay.timefmt import format_duration, format_time

FAILING_MS = 60_000  # for so long nothing has succeeded: it is no blink any more
LATE_MS = 300_000  # for so long the oldest has been due
MOST_CAUSES = 3  # that are told of a sink's failures


def diagnose_sinks(
    sinks: Iterable[SinkState], configured: Container[str] | None, now: int, causes: Sequence[FailureCause] = ()
) -> Iterator[Diagnosis]:
    """Diagnose every sink: failing, closed, behind, no longer configured, or with deliveries that need a person.

    `configured`: the sinks of the configuration; None where that cannot be read. `now`: epoch milliseconds.
    `causes`: of what is held or dead.
    """
    for sink in sinks:
        known = configured is None or sink.name in configured or is_subscriber(sink.name)
        problems = [
            *_state_problems(sink, known, now),
            *_deliveries_for_a_person(sink, [one for one in causes if one.sink == sink.name]),
        ]
        yield from problems or [Diagnosis(about=f"sink {sink.name}", grade="good", found=_found(sink, now))]


def _found(sink: SinkState, now: int) -> str:
    dead = f", {sink.dead} given up as amoCRM would" if is_subscriber(sink.name) and sink.dead else ""
    return f"{sink.waiting} waiting{dead}{format_failures(sink.outcomes, now) if sink.outcomes.failed else ''}"


def _state_problems(sink: SinkState, known: bool, now: int) -> Iterator[Diagnosis]:
    about, unfinished = f"sink {sink.name}", sink.pending + sink.held
    if not known and unfinished:
        means = f"it is in no configuration, and {unfinished} deliveries are still for it"
        state = "pending" if sink.pending else "held"
        move = f"relay deliveries move --all --sink {sink.name} --state {state} --to SINK"
        filters = {"kind": "move", "sink": sink.name, "state": state}
        advice = f"put it back into the file, or {move}"
        yield Diagnosis(
            about=about, grade="bad", found="orphaned", means=means, advice=advice, kind="sink-orphaned",
            subject=sink.name, count=unfinished,
            act=HelpfulAct(name="move-deliveries", target=sink.name, command=move, filters=filters),
        )  # fmt: skip
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
    if sink.put_off:
        yield _full(sink)
    elif sink.fill >= FILLING:
        yield _filling(sink)
    if sink.oldest_due_ms is not None and sink.oldest_due_ms > LATE_MS:
        found = f"the oldest of {sink.waiting} has been due for {format_duration(sink.oldest_due_ms)}"
        means = "more arrives than leaves"
        advice = "raise its rate or concurrency where the vendor allows it, else start more of relay worker"
        yield Diagnosis(
            about=about, grade="warning", found=found, means=means, advice=advice, kind="sink-behind",
            subject=sink.name, since=now - sink.oldest_due_ms, count=sink.waiting, act=_show(sink.name),
        )  # fmt: skip


def _full(sink: SinkState) -> Diagnosis:
    found = f"{sink.pending} wait, at most {sink.max_pending} may; {sink.put_off} more are put off"
    means = "of those the hooks are kept, and their deliveries are made when it has room; other sinks go on"
    return Diagnosis(
        about=f"sink {sink.name}", grade="warning", found=found, means=means, advice=_make_room(sink),
        kind="sink-full", subject=sink.name, count=sink.put_off, act=_show(sink.name),
    )  # fmt: skip


def _filling(sink: SinkState) -> Diagnosis:
    found = f"{sink.pending} wait, at most {sink.max_pending} may"
    means = "what comes when it is full is put off: its hook is kept, and its delivery made when there is room"
    return Diagnosis(
        about=f"sink {sink.name}", grade="warning", found=found, means=means, advice=_make_room(sink),
        kind="sink-filling", subject=sink.name, count=sink.pending, act=_show(sink.name),
    )  # fmt: skip


def _make_room(sink: SinkState) -> str:
    mend = f"relay sinks resume {sink.name}" if sink.gate.paused else "remove what keeps it back"
    return f"{mend}, or raise its max_pending where the store has room for it"


def _list_deliveries(sink: str, state: str) -> HelpfulAct:
    command = f"relay deliveries list --sink {sink} --state {state}"
    return HelpfulAct(name="list-deliveries", target=sink, command=command, filters={"sink": sink, "state": state})


def _show(sink: str) -> HelpfulAct:
    return HelpfulAct(name="show-sink", target=sink, command=f"relay sinks show {sink}")


def _paused(sink: SinkState) -> Diagnosis:
    """Diagnose what a person paused, or a subscriber's, whose subscription is disabled."""
    gate, kind = sink.gate, "sink-paused"
    act = HelpfulAct(name="resume-sink", target=sink.name, command=f"relay sinks resume {sink.name}")
    if gate.disabled:
        kind, id = "subscription-disabled", sink.name.removeprefix(SUBSCRIBER)
        act = HelpfulAct(name="enable-subscription", target=id, command=f"relay subscriptions enable {id}")
    since = f" since {format_time(gate.paused_since)}" if gate.paused_since is not None else ""
    until = f" until {format_time(gate.paused_until)}" if gate.paused_until is not None else ""
    pause = gate.describe_pause()
    found = f"paused{since}{until}{' ' if gate.paused_by else ': '}{pause}{_waiting(sink)}"
    return Diagnosis(
        about=f"sink {sink.name}", grade="warning", found=found, means="its deliveries wait", advice=act.command,
        kind=kind, subject=sink.name, since=gate.paused_since, count=sink.pending, cause=pause, act=act,
    )  # fmt: skip


def _closed(sink: SinkState) -> Diagnosis:
    since = f" since {format_time(sink.gate.since)}" if sink.gate.since is not None else ""
    found = f"closed{since}, at least until {format_time(sink.gate.until)}: {sink.gate.reason}{_waiting(sink)}"
    means = "the sink refuses everything; its deliveries wait, nothing is lost"
    advice = f"remove the cause that it names; relay sinks probe {sink.name} asks without sending anything"
    act = HelpfulAct(name="probe-sink", target=sink.name, command=f"relay sinks probe {sink.name}")
    if is_subscriber(sink.name):  # it has no free call
        act = _show(sink.name)
    return Diagnosis(
        about=f"sink {sink.name}", grade=_grade(sink), found=found, means=means, advice=advice, kind="sink-closed",
        subject=sink.name, since=sink.gate.since, count=sink.pending, cause=sink.gate.reason, act=act,
    )  # fmt: skip


def _tripped(sink: SinkState, now: int) -> Diagnosis:
    since = format_failures(sink.outcomes, now)
    found = f"nothing is delivered, its gate is closed{since}: {sink.gate.reason}{_waiting(sink)}"
    means = "its deliveries wait and cost no attempts; one is tried now and then, and when it arrives all go on"
    advice = f"relay sinks show {sink.name} tells since when; relay sinks resume {sink.name} tries all at once"
    act = HelpfulAct(name="resume-sink", target=sink.name, command=f"relay sinks resume {sink.name}")
    return Diagnosis(
        about=f"sink {sink.name}", grade=_grade(sink), found=found, means=means, advice=advice, kind="sink-tripped",
        subject=sink.name, since=sink.gate.since, count=sink.pending, cause=sink.gate.reason, act=act,
    )  # fmt: skip


def _failing(sink: SinkState, now: int) -> Diagnosis:
    found = f"nothing is delivered{format_failures(sink.outcomes, now)}{_waiting(sink)}"
    means = "every attempt fails; deliveries are tried again, and given up on when their attempts are used up"
    return Diagnosis(
        about=f"sink {sink.name}", grade=_grade(sink), found=found, means=means, advice=_look(sink),
        kind="sink-failing", subject=sink.name, since=sink.failing_since, count=sink.pending,
        act=_list_deliveries(sink.name, "pending"),
    )  # fmt: skip


def _failing_in_part(sink: SinkState, now: int) -> Diagnosis:
    found = f"much fails{format_failures(sink.outcomes, now)}{_waiting(sink)}"
    means = "what failed is tried again, or was given up on: some events are wrong for it, or it is unwell"
    return Diagnosis(
        about=f"sink {sink.name}", grade="warning", found=found, means=means, advice=_look(sink),
        kind="sink-failing-in-part", subject=sink.name, since=sink.outcomes.high_since, count=sink.outcomes.failed,
        act=_show(sink.name),
    )  # fmt: skip


def _grade(sink: SinkState) -> Grade:
    """Return how bad it is: a subscriber's server is its owner's to mend, and is disabled by itself."""
    return "warning" if is_subscriber(sink.name) else "bad"


def _look(sink: SinkState) -> str:
    return f"relay deliveries list --sink {sink.name} shows the reasons; relay stats shows it getting better"


def format_failures(outcomes: Outcomes, now: int) -> str:
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


def _deliveries_for_a_person(sink: SinkState, causes: Sequence[FailureCause]) -> Iterator[Diagnosis]:
    about = f"sink {sink.name}"
    if sink.held:
        means = "they may have arrived: only a person can find out"
        advice = "look there, then relay deliveries confirm or resend"
        if sink.type == "http":
            advice += "; for fewer of them, let its idempotency say what they promise (docs/sinks.md)"
        yield Diagnosis(
            about=about, grade="warning", found=f"{sink.held} held: may have been sent",
            cause=_list_causes(causes, DeliveryState.HELD), since=_first(causes, DeliveryState.HELD), means=means,
            advice=advice, kind="held", subject=sink.name, count=sink.held, act=_list_deliveries(sink.name, "held"),
        )  # fmt: skip
    if sink.dead and not is_subscriber(sink.name):  # amoCRM would have given up on a subscriber's too
        means, said = "they were given up; nothing of them is lost", _list_causes(causes, DeliveryState.DEAD)
        advice = f"relay dead list --sink {sink.name} shows why"
        yield Diagnosis(
            about=about, grade="warning", found=f"{sink.dead} dead letter(s){said and f': {said}'}", means=means,
            advice=advice, cause=said, since=_first(causes, DeliveryState.DEAD), kind="dead", subject=sink.name,
            count=sink.dead, act=_list_deliveries(sink.name, "dead"),
        )  # fmt: skip


def _list_causes(causes: Sequence[FailureCause], state: DeliveryState) -> str:
    """Say how many there are of the most frequent causes."""
    those = [one for one in causes if one.state is state]
    more = f", and {len(those) - MOST_CAUSES} other causes" if len(those) > MOST_CAUSES else ""
    return ", ".join(f"{one.count} × {one.cause}" for one in those[:MOST_CAUSES]) + more


def _first(causes: Sequence[FailureCause], state: DeliveryState) -> int | None:
    return min((one.first for one in causes if one.state is state), default=None)
