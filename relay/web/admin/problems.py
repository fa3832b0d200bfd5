"""The home page: what needs a person, with the one button that helps, and numbers a minute beneath."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from relay.masking import mask_secrets
from relay.model import SUBSCRIBER, Record
from relay.operations.diagnosis import HelpfulAct
from relay.operations.gates import resume_sink
from relay.operations.minutes import MinuteNumbers, read_minutes
from relay.operations.problems import Problem, ProblemState, mark_problem
from relay.translation.messages import UiText, message
from relay.web.admin.charts import Chart, draw_chart
from relay.web.admin.content import Content, Done, NotThere
from relay.web.admin.page_request import PageRequest
from relay.web.admin.problem_texts import ACTS, count_of, detail_of, meaning_of, title_of
from relay.web.subscriptions.operator_acts import OperatorActs

MUTED_FOR: Final[Mapping[str, tuple[int, UiText]]] = {
    "1h": (3_600_000, message("for an hour")),
    "8h": (8 * 3_600_000, message("for 8 hours")),
    "1d": (86_400_000, message("for a day")),
    "7d": (7 * 86_400_000, message("for a week")),
}
HOME: Final = "/admin/problems"
SPARK_MINUTES: Final = 15
MOST_ROWS: Final = 40  # sources or sinks with a line of their own
_PAGES: Final[Mapping[str, str]] = {
    "list-deliveries": "/admin/deliveries",
    "move-deliveries": "/admin/actions/new",
    "list-events": "/admin/events",
    "show-sink": "/admin/sinks/{target}",
    "probe-sink": "/admin/sinks/{target}",
    "show-source": "/admin/sources/{target}",
    "show-action": "/admin/actions/{target}",
    "show-routes": "/admin/routes",
    "show-system": "/admin/system",
}


class Card(Record):
    """A problem as the page shows it. `url` is empty where its act is done at once, by a form."""

    problem: Problem
    title: UiText | str
    meaning: UiText | str
    count: UiText | str
    detail: str
    button: UiText | None
    url: str


class Row(Record):
    """A source or a sink with its line of the last minutes."""

    name: str
    url: str
    chart: Chart
    total: int


async def show(asked: PageRequest) -> Content:
    """Show the problems, and numbers a minute."""
    problems = await asked.services.pulse.problems()
    numbers = await read_minutes(asked.services.reader)
    cards = [_card(problem) for problem in problems]
    return Content(
        template="problems.html",
        title=message("Problems"),
        values={
            "open": [card for card in cards if card.problem.state is not ProblemState.MUTED],
            "muted": [card for card in cards if card.problem.state is ProblemState.MUTED],
            "muted_for": MUTED_FOR,
            "receipts": _chart(numbers, (("receipts", numbers.receipts),)),
            "deliveries": _chart(numbers, (("delivered", numbers.delivered), ("failed", numbers.failed))),
            "sources": _rows(numbers.by_source, {}, "/admin/sources/"),
            "sinks": _rows(numbers.by_sink, numbers.failed_by_sink, "/admin/sinks/"),
            "minutes": len(numbers.receipts),
        },
    )


def _card(problem: Problem) -> Card:
    return Card(
        problem=problem,
        title=title_of(problem),
        meaning=meaning_of(problem),
        count=count_of(problem),
        detail=mask_secrets(detail_of(problem)),
        button=ACTS[problem.act.name] if problem.act else None,
        url=_url(problem.act) if problem.act else "",
    )


def _url(act: HelpfulAct) -> str:
    address = _PAGES.get(act.name, "").format(target=act.target)
    return f"{address}?{urlencode(act.filters)}" if act.filters else address


def _chart(numbers: MinuteNumbers, series: Sequence[tuple[str, Sequence[float | None]]]) -> Chart:
    return draw_chart(series, [(mark.index, mark.at, mark.version) for mark in numbers.marks])


def _rows(
    good: Mapping[str, Sequence[float | None]], failed: Mapping[str, Sequence[float | None]], page: str
) -> list[Row]:
    rows = []
    for name in sorted(good.keys() | failed.keys())[:MOST_ROWS]:
        lines = [
            (kind, numbers[name][-SPARK_MINUTES:])
            for kind, numbers in (("delivered", good), ("failed", failed))
            if name in numbers
        ]
        total = round(sum(number or 0 for number in good.get(name, ())[-SPARK_MINUTES:]))
        rows.append(Row(name=name, url=page + name, chart=draw_chart(lines, width=120, height=28), total=total))
    return rows


async def mark(asked: PageRequest) -> Done:
    """Say that a problem is seen, mute it, or take either back."""
    id, state = asked.field("id"), asked.field("state")
    if state not in list(ProblemState):
        raise NotThere(message("There is no such act."))
    end = MUTED_FOR.get(asked.field("for"), MUTED_FOR["1h"])[0]
    until = await asked.services.reader.now() + end if state == ProblemState.MUTED else None
    problems = await asked.services.pulse.problems()
    await mark_problem(asked.services.reader, problems, id, ProblemState(state), asked.author, until)
    asked.services.pulse.forget_problems()
    return Done(lines=[_MARKED[ProblemState(state)]], to=HOME)


_MARKED: Final = {
    ProblemState.SEEN: message("Noted: somebody has seen it."),
    ProblemState.MUTED: message("Muted. One that ends and comes back is new."),
    ProblemState.NEW: message("It is new again."),
}


async def help_with(asked: PageRequest) -> Done:
    """Do the act that helps with a problem, where it is one that is done at once."""
    services, id = asked.services, asked.field("id")
    found = next((one for one in await services.pulse.problems() if one.id == id), None)
    if found is None or found.act is None:
        raise NotThere(message("It has ended meanwhile."))
    services.pulse.forget_problems()
    target = found.act.target
    if found.act.name == "resume-sink":
        line = await resume_sink(services.store, services.reader, target, asked.author)
        return Done(lines=[line], to=HOME)
    if found.act.name == "enable-subscription":
        acts = OperatorActs(services.store.subscriptions, services.store.acts, asked.author)
        await acts.enable(int(target.removeprefix(SUBSCRIBER)))
        return Done(lines=[message("It is enabled.")], to=HOME)
    raise NotThere(message("There is no such act."))
