"""Run cases: what the relay would make of each hook, by the functions that workers and `relay explain` use."""

from collections.abc import Iterator, Sequence

from relay.cases.case import Case
from relay.cases.schema import ExpectedDelivery
from relay.config.schema import KEY_TEMPLATES
from relay.model import DeliveryState, ReceiptState, Record
from relay.operations.answered_lookups import answer_lookups
from relay.operations.differences import Difference, compare_json, differ
from relay.operations.explanation import (
    NOT_MADE,
    ExplainedDelivery,
    Explanation,
    RouteExplanation,
    explain_receipt,
)
from relay.operations.once_use import note_once_use


class CaseResult(Record):
    """What came of a case: it passed where there is no difference."""

    file: str
    line: int
    column: int
    name: str
    differences: Sequence[Difference]

    @property
    def passed(self) -> bool:
        """Return whether all is as expected."""
        return not self.differences


class CaseReport(Record):
    """What came of cases, and the routes of their configurations by which none of them expects a delivery."""

    passed: int
    failed: int
    cases: Sequence[CaseResult]
    untested: Sequence[str]


class _MadeDelivery(Record):
    route: str
    explained: ExplainedDelivery


def run_cases(cases: Sequence[Case], name: str = "") -> CaseReport:
    """Run cases, in order: those with `name` in their names. What no case expects is told of all of them."""
    results = [run_case(case) for case in cases if name.casefold() in case.name.casefold()]
    passed = sum(result.passed for result in results)
    return CaseReport(passed=passed, failed=len(results) - passed, cases=results, untested=_untested(cases))


def _untested(cases: Sequence[Case]) -> list[str]:
    routes = {(case.config_path, route.name): None for case in cases for route in case.config.routes}
    tested = {(case.config_path, one.route) for case in cases for one in case.expect if one.is_delivered}
    return list(dict.fromkeys(name for path, name in routes if (path, name) not in tested))


def run_case(case: Case) -> CaseResult:
    """Run a case."""
    return CaseResult(
        file=case.file,
        line=case.position.line,
        column=case.position.column,
        name=case.name,
        differences=list(_differences(case, explain_case(case))),
    )


def explain_case(case: Case) -> Explanation:
    """Explain the hook of a case by its configuration, with what it says of `once` keys and of the account."""
    explanation = explain_receipt(case.receipt, case.config, None)
    used = {one.id: DeliveryState.DELIVERED.value for one in explanation.deliveries if one.once_key in case.used}
    explanation = note_once_use(explanation, {}, used)
    return answer_lookups(explanation, case.receipt, case.config, case.people) if case.is_answered else explanation


def _differences(case: Case, explanation: Explanation) -> Iterator[Difference]:
    yield from _state_differences(case, explanation)
    made = [
        _MadeDelivery(route=route.route, explained=delivery)
        for event in explanation.events
        if event.state == ReceiptState.ROUTED
        for route in event.routes
        for delivery in route.deliveries
    ]
    for expected in case.expect:
        if not expected.matches:
            yield from _match_differences(expected, explanation)
        elif found := _most_alike(expected, made):
            made.remove(found)
            yield from _delivery_differences(expected, found.explained)
        else:
            yield Difference(place=_place(expected), message=f"no delivery: {_why_none(expected, explanation)}")
    named = {expected.route for expected in case.expect}
    for left in made:
        if left.explained.state != NOT_MADE and not (case.others and left.route not in named):
            yield _unexpected(left)


def _state_differences(case: Case, explanation: Explanation) -> Iterator[Difference]:
    if case.state and case.state != explanation.state:
        yield differ("state", case.state, _with_reason(explanation.state, explanation.reason))
    elif case.reason not in explanation.reason:
        yield differ("reason", case.reason, explanation.reason)


def _routes(explanation: Explanation, name: str) -> list[RouteExplanation]:
    return [route for event in explanation.events for route in event.routes if route.route == name]


def _match_differences(expected: ExpectedDelivery, explanation: Explanation) -> Iterator[Difference]:
    routes = _routes(explanation, expected.route)
    if not routes:
        yield Difference(place=expected.route, message=f"no event was tried: {_why_none(expected, explanation)}")
    for route in routes:
        if route.matched:
            yield Difference(place=expected.route, message="it matches, and was expected not to")
        elif expected.because not in route.because:
            yield differ(f"{expected.route}: because", expected.because, route.because)


def _most_alike(expected: ExpectedDelivery, made: Sequence[_MadeDelivery]) -> _MadeDelivery | None:
    """Return the delivery that is meant: of several of a route the one with the fewest differences."""
    of_route = [one for one in made if one.route == expected.route and expected.to in ("", one.explained.sink)]
    return min(of_route, key=lambda one: len(list(_delivery_differences(expected, one.explained))), default=None)


def _why_none(expected: ExpectedDelivery, explanation: Explanation) -> str:
    reasons = [route.because for route in _routes(explanation, expected.route) if not route.matched]
    if explanation.state != ReceiptState.ROUTED and not reasons:
        return f"the hook is {_with_reason(explanation.state, explanation.reason)}"
    return "; ".join(dict.fromkeys(reasons)) or "fewer were made"


def _delivery_differences(expected: ExpectedDelivery, made: ExplainedDelivery) -> Iterator[Difference]:
    place = _place(expected)
    if made.needs_lookup and made.state == DeliveryState.PENDING and made.request is None:
        message = "it waits for a look-up: write under fetched what the account answers, or fetched: nothing"
        yield Difference(place=place, message=message)
        return
    if made.state != expected.state:
        yield differ(f"{place}: state", expected.state, _with_reason(made.state, made.reason))
        return
    if expected.reason not in made.reason:
        yield differ(f"{place}: reason", expected.reason, made.reason)
    for key in KEY_TEMPLATES:
        wanted, rendered = getattr(expected, key), getattr(made, f"{key}_key")
        if wanted and wanted != rendered:
            yield differ(f"{place}: {key}", wanted, rendered)
    if expected.content is not None:
        yield from compare_json(expected.content, made.request, f"{place}: content", exact=expected.exact)


def _unexpected(made: _MadeDelivery) -> Difference:
    state = _with_reason(made.explained.state, made.explained.reason)
    message = f"it was not expected, it is {state}"
    return Difference(place=f"{made.route} → {made.explained.sink}", actual=made.explained.request, message=message)


def _place(expected: ExpectedDelivery) -> str:
    return f"{expected.route} → {expected.to}" if expected.to else expected.route


def _with_reason(state: str, reason: str) -> str:
    return f"{state}, {reason}" if reason else state
