"""Compare what a page shows with what a command has printed: ids, times and durations may differ. Pure."""

import difflib
import re
from collections.abc import Mapping

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_VARYING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?"), "<time>"),
    (re.compile(r"\b1[67]\d{8}\b"), "<seconds>"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|m|h|d)\b"), "<duration>"),
    (re.compile(r"\b\d+(\.\d+)?/s\b"), "<rate>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<version>"),
    (re.compile(r'(?<=_bytes":)\d+'), "<bytes>"),
    (re.compile(r'(?<="in_use_since":)(\d+|null)'), "<time>"),  # null until a worker has looked
    (re.compile(r"\bcurl/[\d.]+"), "<curl>"),
    (re.compile(r"^(date|content-length): .*$", re.MULTILINE), r"\1: <value>"),
    (re.compile(r" {2,}"), "  "),  # the columns of a table are as wide as what is in them
    (re.compile(r"[ \r]+$", re.MULTILINE), ""),
)


def match_output(expected: str, printed: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return which printed id each id of the page stands for. Raises AssertionError with the difference."""
    expected, printed = _plain(expected), _plain(printed)
    groups: dict[str, str] = {}
    found = re.fullmatch(_pattern(expected, known, groups), printed)
    if found is None:
        raise AssertionError("\n".join(_difference(expected, _with_shown_ids(printed, known))))
    return {**known, **{id: found[group] for id, group in groups.items()}}


def replace_ids(command: str, known: Mapping[str, str]) -> str:
    """Return a command with the real ids in place of those of the page."""
    return _ID.sub(lambda found: known.get(found[0], found[0]), command)


def _plain(text: str) -> str:
    """Return a text without what varies, but with its ids."""
    ids = _ID.findall(text)
    text = _ID.sub("\x00", text)
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    text = "".join(part + id for part, id in zip(text.split("\x00"), [*ids, ""], strict=True))
    return text.strip("\n") + "\n" if text.strip() else ""


def _pattern(expected: str, known: Mapping[str, str], groups: dict[str, str]) -> str:
    """Return the pattern of an expected text. Ids that are new are added to `groups`, with the name of their group."""

    def id_pattern(id: str) -> str:
        if id in known:
            return re.escape(known[id])
        if id in groups:
            return f"(?P={groups[id]})"
        groups[id] = f"id{len(groups)}"
        return f"(?P<{groups[id]}>{_ID.pattern})"

    def line_pattern(line: str) -> str:
        if line.strip() == "…":
            return r"(?:.*\n)*"
        texts, ids = _ID.split(line), _ID.findall(line)
        escaped = [re.escape(text).replace(re.escape("…"), ".*") for text in texts]
        return "".join(text + id for text, id in zip(escaped, [*map(id_pattern, ids), ""], strict=True))

    return "".join(map(line_pattern, expected.splitlines(keepends=True)))


def _with_shown_ids(printed: str, known: Mapping[str, str]) -> str:
    shown = {real: id for id, real in known.items()}
    return _ID.sub(lambda found: shown.get(found[0], found[0]), printed)


def _difference(expected: str, printed: str) -> list[str]:
    lines = expected.splitlines(), printed.splitlines()
    return list(difflib.unified_diff(*lines, "the page", "printed", n=99, lineterm=""))
