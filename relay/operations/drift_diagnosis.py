"""Diagnose that an account is not set up as the configuration needs it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from relay.operations.diagnosis import Diagnosis, Grade, HelpfulAct
from relay.operations.drift import Drift
from relay.operations.drift_reports import DriftReport
from relay.operations.field_findings import EmptyField
from relay.timefmt import format_time

DRIFT: Final = "drift"
"""The kind of all these problems: what they are about is in their subject, `acme/status/20030002`."""
UNASKED_MS: Final = 2 * 24 * 3_600_000  # after which it is a problem that an account could not be asked
_MOST_PLACES: Final = 4


def diagnose_drift(reports: Mapping[str, DriftReport], now: int) -> Iterator[Diagnosis]:
    """Diagnose the accounts that were compared with the configuration. `now`: epoch milliseconds."""
    for source, report in reports.items():
        for drift in report.drifts:
            yield diagnose_one(drift, source)
        if report.failing_since is not None and now - report.failing_since > UNASKED_MS:
            yield _unasked(source, report)
        elif not report.drifts and report.asked_at is not None and report.version:
            found = f"as the configuration needs it, asked {format_time(report.asked_at)}"
            yield Diagnosis(about=_about(source), grade="good", found=found)


def diagnose_one(drift: Drift, source: str) -> Diagnosis:
    """Return what a drift means, and the act that helps."""
    grade, means = _meaning(drift)
    names, file = f"relay names {source}", f"names/{source}.yaml"
    if drift.several:
        advice = (
            f"add who may be responsible to the table {drift.owner}, or say in the template what holds without an entry"
        )
    elif drift.thing == "entry":
        advice = f"add it to the table {drift.owner}, or say in the template what holds without an entry"
    elif drift.change == "renamed":
        advice = f"write the new name where it is used, then run `{names}`"
    elif drift.change == "type":
        advice = f"look at what uses it, then run `{names}`"
    else:
        advice = f"mend what needs it, then run `{names}`"
    renamed = drift.change in ("renamed", "type")
    return Diagnosis(
        about=_about(source), grade=grade, found=describe(drift, file), means=means, advice=advice, kind=DRIFT,
        subject=f"{source}/{drift.key}", cause=list_places(drift), count=drift.events or None,
        act=HelpfulAct(name="show-source", target=source, command=names) if renamed else
        HelpfulAct(name="show-routes", command=f"{names} --check"),
    )  # fmt: skip


def diagnose_empty_fields(fields: Iterable[EmptyField]) -> Iterator[Diagnosis]:
    """Diagnose the fields of hooks that are empty more often than they were."""
    for one in fields:
        name = f"field {one.field}" if one.custom else one.field
        found = (
            f"{name} was empty in {one.share:.0%} of {one.events} events of route {one.route}, "
            f"usually in {one.usual:.0%}"
        )
        yield Diagnosis(
            about=f"the hooks of {one.source}", grade="warning", found=found,
            means="what the route does with this field, it does without it: nobody fills it in any more, or it moved",
            advice="look at what has come since, and at who fills it in", kind=DRIFT,
            subject=f"{one.source}/empty/{one.route}/{'custom/' if one.custom else ''}{one.field}", since=one.since,
            count=one.events,
            act=HelpfulAct(
                name="list-events", command=f"relay events list --source {one.source} --route '{one.route}'",
                filters={"source": one.source, "route": one.route},
            ),
        )  # fmt: skip


def describe(drift: Drift, file: str) -> str:
    """Say in what a thing differs. `file`: the file of names."""
    id = drift.id if drift.id == drift.name or not drift.name else f"{drift.id} {drift.name}"
    if drift.several:
        return f"users without an entry in the table {drift.owner}: {drift.id}"
    if drift.thing == "entry":
        return f"{id} has no entry in the table {drift.owner}"
    if drift.thing == "value":
        return f"field {drift.owner} has no value {drift.id} any more"
    if drift.change == "type":
        return f"field {drift.owner} has another type: {file} says {drift.name}, the account says {drift.now}"
    thing = f"field {id} of {drift.owner}" if drift.thing == "field" else f"{drift.thing} {id}"
    if drift.change == "gone":
        return f"{thing} is gone"
    if drift.change == "inactive":
        return f"{thing} is not active any more"
    thing = f"field {drift.id} of {drift.owner}" if drift.thing == "field" else f"{drift.thing} {drift.id}"
    return f"{thing} was renamed: {file} says {drift.name}, the account says {drift.now}"


def list_places(drift: Drift) -> str:
    """Name what needs a thing, each with its place."""
    places = [f"{one.by} at {one.place}" for one in drift.used]
    more = f", and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
    return ", ".join(places[:_MOST_PLACES]) + more


def _meaning(drift: Drift) -> tuple[Grade, str]:
    """Return how bad a drift is, and what it means."""
    roles = drift.roles
    if drift.thing == "entry":
        return _meaning_of_entry(drift)
    if roles == {"case"}:
        return "warning", "a case tests what cannot happen any more"
    if drift.change == "inactive":
        return "warning", "what this user is to do with it, nobody does any more"
    if drift.change == "type":
        return "warning", "conditions and templates may meet other values than they were written for"
    if not drift.breaks:
        return "warning", "what uses it goes on by its id; an old name is refused once the names are written anew"
    if "only" in roles:
        return "bad", "the routes whose condition needs it can never match"
    if "content" in roles:
        return "bad", "the templates that read it find nothing: their deliveries fail"
    if roles == {"exception"}:
        return "warning", "what the routes were to leave out is let through"
    return "warning", "conditions and templates that name it do without: less matches than was meant"


def _meaning_of_entry(drift: Drift) -> tuple[Grade, str]:
    if drift.events:
        return "bad", "events lately had it: their deliveries are skipped, because the template finds nothing"
    if drift.several:
        return "warning", "deliveries of events that have one of them will be skipped: the template will find nothing"
    return "warning", "deliveries of events that have it will be skipped: the template will find nothing"


def _unasked(source: str, report: DriftReport) -> Diagnosis:
    since = "never" if report.asked_at is None else format_time(report.asked_at)
    return Diagnosis(
        about=_about(source), grade="warning", found=f"not compared with the configuration, last asked {since}",
        means="nobody would notice that a status, field or user is renamed or gone", advice=report.failure,
        kind="account-unasked", subject=source, since=report.failing_since, cause=report.failure,
        act=HelpfulAct(name="show-source", target=source, command=f"relay names {source} --check"),
    )  # fmt: skip


def _about(source: str) -> str:
    return f"the account of {source}"
