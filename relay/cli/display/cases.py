"""Format what came of cases in lines. Pure."""

from collections.abc import Iterator
from itertools import groupby

from relay.cases.run import CaseReport, CaseResult
from relay.masking import mask_people
from relay.operations.differences import Difference


def format_cases(report: CaseReport, *, reveal: bool) -> Iterator[str]:
    """Format a report in lines: each case, and of one that failed every difference."""
    for file, results in groupby(report.cases, key=lambda result: result.file):
        yield file
        for result in results:
            yield from _format_case(result, reveal=reveal)
    if report.untested:
        yield f"no case expects a delivery by: {', '.join(report.untested)}"
    yield f"{len(report.cases)} case(s): {report.passed} passed, {report.failed} failed"


def _format_case(result: CaseResult, *, reveal: bool) -> Iterator[str]:
    if result.passed:
        yield f"  ✓ {result.name}"
        return
    yield f"  ✗ {result.name} ({result.file}:{result.line}:{result.column})"
    for difference in result.differences:
        hidden = not reveal and _differs_in_people(difference)
        hint = " (what tells them apart is masked: --reveal shows it)" if hidden else ""
        yield f"      {difference.place}: {difference.message}{hint}"


def _differs_in_people(difference: Difference) -> bool:
    """Return whether two texts look the same once people are masked in them."""
    expected, actual = difference.expected, difference.actual
    if not isinstance(expected, str) or not isinstance(actual, str) or expected == actual:
        return False
    return mask_people(expected) == mask_people(actual)
