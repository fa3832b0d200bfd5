"""Write what came of cases as JUnit's XML, which CI systems show."""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from relay.cases.run import CaseReport, CaseResult
from relay.errors import RelayError
from relay.printable import escape_lines


def write_junit(report: CaseReport, path: Path, mask: Callable[[str], str]) -> None:
    """Write a report to a file. `mask` hides what is personal in a text. Raises RelayError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(format_junit(report, mask))
    except OSError as error:
        raise RelayError(f"{path}: {error.strerror}: name a file that can be written") from error


def format_junit(report: CaseReport, mask: Callable[[str], str]) -> bytes:
    """Return a report as JUnit's XML: a suite for each file."""
    root = ElementTree.Element(
        "testsuites", name="relay test", tests=str(len(report.cases)), failures=str(report.failed)
    )
    for file, results in groupby(report.cases, key=lambda result: result.file):
        _add_suite(root, file, list(results), mask)
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _add_suite(root: ElementTree.Element, file: str, results: list[CaseResult], mask: Callable[[str], str]) -> None:
    failures = sum(not result.passed for result in results)
    suite = ElementTree.SubElement(root, "testsuite", name=file, tests=str(len(results)), failures=str(failures))
    for result in results:
        case = ElementTree.SubElement(
            suite, "testcase", name=escape_lines(mask(result.name)), classname=file, file=file, line=str(result.line)
        )
        if not result.passed:
            # XML knows no control characters.
            lines = [escape_lines(mask(f"{one.place}: {one.message}")) for one in result.differences]
            failure = ElementTree.SubElement(case, "failure", message=lines[0])
            failure.text = "\n".join([f"{result.file}:{result.line}:{result.column}", *lines])
