"""Explain YAML syntax errors in plain words, at the position where a person can mend them.

Values are never quoted: a password that starts with `*` is read as an alias, and the alias's name is the secret.
"""

import re
from collections.abc import Sequence
from typing import TypeAlias

import yaml
from yaml.reader import ReaderError

from relay.spelling import invisible_blank, typographic_quote

Place: TypeAlias = tuple[int, int]  # line and column, from 1

_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'[^']*')""")
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as the parser counts lines
_UNQUOTED_IN_BRACKETS = "is a bracket not closed, or a text that has one of , : [ ] { } in it not quoted?"

_PLAIN_BLANK = "remove it, or write a plain space"
TYPOGRAPHIC_QUOTES = "“”„‘’"
_BAD_INDENTATION = "this does not fit the lines above: correct the indentation, or quote the whole value"

# Patterns of the parser's `context` and `problem`, our message, and whether it is about where the context began.
_EXPLANATIONS: Sequence[tuple[str, str, str, bool]] = (
    ("", r"mapping values are not allowed", 'a second ": " in one value: quote a text that has ": " in it, '
     "or correct the indentation", False),
    ("", r"found character '\\t'", "a tab: indent with spaces", False),
    ("", r"found character '(.)' that cannot start", r"a text cannot start with \1: quote it", False),
    (r"(scanning|parsing) a (tag|node)", "tag|expected", "a text that starts with ! is read as a tag: quote it", True),
    ("", r"undefined alias", "a text that starts with * is read as a reference, and there is no such anchor: quote it",
     False),
    (r"scanning an alias", "", "a text that starts with * is read as a reference: quote it", True),
    (r"scanning an anchor", "", "a text that starts with & is read as an anchor: quote it", True),
    ("found duplicate anchor", "", "this anchor (&) is here twice: name each once", False),
    ("", r"<document start>", _BAD_INDENTATION, False),
    ("", r"mapping keys are not allowed", "a text that starts with ? is read as a key: quote it", False),
    (r"scanning a directive", "", "a line that starts with % is read as a directive: quote it", True),
    (r"scanning a block scalar", "", "a text that starts with | or > is read as a block of text: quote it", True),
    (r"scanning a quoted scalar", "", "the quote that opens here is never closed", True),
    (r"double-quoted scalar", "", r'an unknown \ in "…": write \\, or use single quotes', False),
    (r"scanning a simple key", "", 'a line that is not "key: value": is a colon missing, or a quote?', True),
    (r"flow mapping", "", f"expected , or }} here: {_UNQUOTED_IN_BRACKETS}", False),
    (r"flow sequence", "", f"expected , or ] here: {_UNQUOTED_IN_BRACKETS}", False),
    (r"block (mapping|collection)", "", _BAD_INDENTATION, False),
    ("", r"sequence entries are not allowed", "a list item (- ) must start on its own line", False),
    ("", r"expected the node content", "a value is missing here: is a bracket not closed, or a key without its value?",
     False),
    ("", r"another document", "a second document (---): one file holds one", False),
)  # fmt: skip


def explain_syntax_error(error: Exception, text: str) -> tuple[Place, str]:
    """Return the position of a syntax error, and a message that says what would be right."""
    if isinstance(error, ReaderError):
        return _position_of(text, error.position), "a control character: remove it"
    if not isinstance(error, yaml.MarkedYAMLError):
        return (1, 1), "a number in an escape or a directive is out of range"
    mark = error.problem_mark or error.context_mark
    position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return _blank_near(position, text) or _unquoted_template(position, text) or _explanation(error, position)


def unquoted_problem(text: str, *, is_key: bool = False) -> str | None:
    """Return what is wrong with a text that is written without quotes, by the characters in it; None: nothing."""
    found = invisible_blank(text)
    if found and (is_key or found[0] in (0, len(text) - 1) or text[found[0] - 1] == ":"):
        return f"{found[1]} is a part of this: {_PLAIN_BLANK}"
    if text and text[0] in TYPOGRAPHIC_QUOTES and text[-1] in TYPOGRAPHIC_QUOTES:
        return f'{typographic_quote(text)} is a part of this text, and does not quote it: write "…"'
    return None


def _blank_near(place: Place, text: str) -> tuple[Place, str] | None:
    """Find a blank that only looks like one in the line that could not be parsed, or in the one before."""
    lines = _LINE_END.split(text)
    for row in (place[0], place[0] - 1):
        found = invisible_blank(lines[row - 1]) if 0 < row <= len(lines) else None
        if found:
            return (row, found[0] + 1), f"{found[1]} stands here: {_PLAIN_BLANK}"
    return None


def _explanation(error: yaml.MarkedYAMLError, position: Place) -> tuple[Place, str]:
    for context, problem, message, at_start in _EXPLANATIONS:
        found = re.search(problem, error.problem or "")
        if found and re.search(context, error.context or ""):
            start = error.context_mark if at_start else None
            where = (start.line + 1, start.column + 1) if start else position
            return where, found.expand(message) if found.re.groups else message
    return position, error.problem or "this is not YAML"


def _unquoted_template(position: Place, text: str) -> tuple[Place, str] | None:
    """Find `{{ … }}` or `${…}` without quotes on the line that could not be parsed."""
    lines = _LINE_END.split(text)
    row, column = position
    if row > len(lines):
        return None
    line = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), lines[row - 1])
    for opening in ("{{", "${"):
        if 0 <= (at := line.find(opening)) < column + len(opening):
            return (row, at + 1), f"{opening} … {'}' * opening.count('{')} without quotes: quote the whole text"
    return None


def _position_of(text: str, index: int) -> Place:
    before = _LINE_END.split(text[:index])
    return len(before), len(before[-1]) + 1
