"""How the relay stands, for the JSON API: numbers, diagnoses, problems, what people did, the configuration."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from relay.model import Record
from relay.operations.audit import AuditFilter, find_audit, is_entry
from relay.operations.capacity import Capacity, plan_capacity
from relay.operations.config_state import ConfigState, describe_config
from relay.operations.diagnosis import Diagnosis
from relay.operations.examination import examine
from relay.operations.minutes import MinuteNumbers, read_minutes
from relay.operations.problems import (
    ListedProblem,
    Problem,
    ProblemState,
    diagnose_all,
    listed_problem,
    mark_problem,
    read_problems,
)
from relay.operations.search import EventFilter
from relay.operations.search_terms import SearchTerms
from relay.operations.snapshot import ListedSnapshot, listed_snapshot, read_snapshot
from relay.operations.stats import Stats, measure_stats
from relay.operations.system import SystemState, read_system
from relay.store.acts import AuditEntry
from relay.web.admin.api.operation import (
    BAD_REQUEST,
    NOT_FOUND,
    ActBody,
    ApiFailure,
    Call,
    Handler,
    ListPage,
    Operation,
    Operations,
    Said,
)
from relay.web.admin.api.queries import Limit, Time, read_end, read_time


class StatsQuery(Record):
    """Over how many seconds rates are measured."""

    over: Annotated[float, msgspec.Meta(ge=0.1, le=10)] = 1.0


class MinutesQuery(Record):
    """Of so many minutes."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=180)] = 60


class SnapshotQuery(Record):
    """With so many of the newest events at most."""

    limit: Limit = 10


class CapacityQuery(Record):
    """Hooks a day, and how many deliveries come of one, on average."""

    hooks: Annotated[int, msgspec.Meta(ge=1, le=10**12)]
    deliveries: Annotated[float, msgspec.Meta(ge=0, le=10**6)] = 1.0


class AuditQuery(Record):
    """Which entries of the audit."""

    by: Annotated[str, msgspec.Meta(description="Only what this person did.")] = ""
    act: Annotated[str, msgspec.Meta(description="Only this act: resend, pause, reveal…")] = ""
    what: Annotated[str, msgspec.Meta(description="Only about this: an id, a sink, a part of it.")] = ""
    since: Time = ""
    until: Time = ""
    limit: Limit = 20
    before: Annotated[str, msgspec.Meta(description="Only what was done before this entry: its `id`, or `next`.")] = ""


class Diagnoses(Record):
    """How each thing stands."""

    items: Sequence[Diagnosis]


class Problems(Record):
    """What needs a person: the worst first, what is muted last."""

    items: Sequence[ListedProblem]


class MuteBody(ActBody):
    """Until when a problem is left out of the number of those open: 2h (from now), or 2026-11-23T14:30."""

    until: str


async def stats(call: Call) -> Stats:
    """Answer counts, rates and latencies."""
    return await measure_stats(call.reader, call.query.over)


async def minutes(call: Call) -> MinuteNumbers:
    """Answer what was counted in each minute."""
    return await read_minutes(call.reader, call.query.minutes)


async def snapshot(call: Call) -> ListedSnapshot:
    """Answer numbers, problems and the newest events."""
    terms = SearchTerms(filter=EventFilter(limit=call.query.limit))
    return listed_snapshot(await read_snapshot(call.reader, call.live.config, terms))


async def system(call: Call) -> SystemState:
    """Answer how the relay itself stands."""
    return await read_system(call.reader, call.live.config)


async def capacity(call: Call) -> Capacity:
    """Answer what a load needs."""
    return plan_capacity(call.query.hooks, call.query.deliveries, call.live.config)


async def doctor(call: Call) -> Diagnoses:
    """Answer what is right and what is wrong, and what to do about it."""
    config = call.live.config
    examination = await examine(call.reader, config.sources_with_api)
    return Diagnoses(items=diagnose_all(examination, config, call.live.error))


async def problems(call: Call) -> Problems:
    """Answer what needs a person."""
    return Problems(items=list(map(listed_problem, await _read(call))))


async def problem(call: Call) -> ListedProblem:
    """Answer one problem."""
    for one in await _read(call):
        if one.id == call.part("id"):
            return listed_problem(one)
    raise ApiFailure(NOT_FOUND, f"no problem {call.part('id')[:60]} is open: it may have ended")


def _mark(state: ProblemState) -> Handler:
    async def answer(call: Call) -> Said:
        until = read_end(call.body.until, "until") if state is ProblemState.MUTED else None
        id = (await problem(call)).id
        return Said(message=await mark_problem(call.reader, await _read(call), id, state, call.author, until))

    return answer


async def _read(call: Call) -> list[Problem]:
    return await read_problems(call.reader, call.live.config, call.live.error)


async def audit(call: Call) -> ListPage[AuditEntry]:
    """Answer what people did."""
    query: AuditQuery = call.query
    if query.before and not is_entry(query.before):
        raise ApiFailure(BAD_REQUEST, f"before: {query.before[:60]!r} is no entry: give the `id` of one")
    filters = AuditFilter(
        by=query.by, act=query.act, what=query.what, since=read_time(query.since, "since"),
        until=read_time(query.until, "until"), limit=query.limit, before=query.before,
    )  # fmt: skip
    page = await find_audit(call.store.acts, filters)
    return ListPage(items=page.items, next=page.next or None)


async def configuration(call: Call) -> ConfigState:
    """Answer which configuration is in force."""
    return describe_config(call.live.config, call.settings.config_path, call.live.error)


def _marks(name: str, summary: str, handler: Handler, body: type[ActBody] = ActBody) -> Operation:
    return Operation(
        method="POST", path=f"/problems/{{id}}/{name}", summary=summary, handler=handler, answer=Said, body=body,
        acts=True, command=f"problems {name}",
    )  # fmt: skip


OPERATIONS: Operations = (
    Operation(
        method="GET", path="/stats", summary="Show counts, rates and latencies.", handler=stats, answer=Stats,
        query=StatsQuery, command="stats",
    ),
    Operation(
        method="GET", path="/minutes", summary="Show what was counted in each minute.", handler=minutes,
        answer=MinuteNumbers, query=MinutesQuery, command="stats",
    ),
    Operation(
        method="GET", path="/snapshot", summary="Show numbers, problems and the newest events.", handler=snapshot,
        answer=ListedSnapshot, query=SnapshotQuery, command="top",
    ),
    Operation(
        method="GET", path="/system", summary="Show the store and what its memory is for, the workers, the queues.",
        handler=system, answer=SystemState, command="system",
    ),
    Operation(
        method="GET", path="/capacity", summary="Say how many processes and stores so many hooks a day need.",
        handler=capacity, answer=Capacity, query=CapacityQuery, command="capacity",
    ),
    Operation(
        method="GET", path="/doctor", summary="Say what is wrong, and what to do about it.", handler=doctor,
        answer=Diagnoses, command="doctor",
    ),
    Operation(
        method="GET", path="/problems", summary="List what needs a person, also what is muted.", handler=problems,
        answer=Problems, command="problems list",
    ),
    Operation(
        method="GET", path="/problems/{id}", summary="Show a problem.", handler=problem, answer=ListedProblem,
        finds=True, command="problems show",
    ),
    _marks("seen", "Say that a problem is seen.", _mark(ProblemState.SEEN)),
    _marks("mute", "Leave a problem out until a time, or until it ends.", _mark(ProblemState.MUTED), MuteBody),
    _marks("unmute", "Take back that a problem is seen or muted.", _mark(ProblemState.NEW)),
    Operation(
        method="GET", path="/audit", summary="List what people did, the newest first.", handler=audit,
        answer=ListPage[AuditEntry], query=AuditQuery, command="audit",
    ),
    Operation(
        method="GET", path="/config", summary="Show which configuration is in force.", handler=configuration,
        answer=ConfigState, command="check",
    ),
)  # fmt: skip
