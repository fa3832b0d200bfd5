"""What the YAML parser says, in plain words, at the place where a person can mend it.

Never quotes a value: a password that starts with `*` is read as an alias, and its name would be the secret.
"""

import re
from collections.abc import Sequence

import yaml
from yaml.reader import ReaderError

from relay.config.findings import Position

_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'[^']*')""")
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as the parser counts lines
_TEXT_IN_A_FLOW = "is a bracket not closed, or a text that has one of , : [ ] { } in it not quoted?"

_MISFIT = "this does not fit the lines above: mend the indentation, or quote the whole value"

# (what the parser was doing, what it says, our words, whether the place is where it began)
_Phrase = tuple[str, str, str, bool]
_PHRASES: Sequence[_Phrase] = (
    ("", r"mapping values are not allowed", 'a second ": " in one value: quote a text that has ": " in it, '
     "or mend the indentation", False),
    ("", r"found character '\\t'", "a tab: indent with spaces", False),
    ("", r"found character '(.)' that cannot start", r"a text cannot start with \1: quote it", False),
    (r"(scanning|parsing) a (tag|node)", "tag|expected", "a text that starts with ! is read as a tag: quote it", True),
    ("", r"undefined alias", "a text that starts with * is read as a reference, and there is no such anchor: quote it",
     False),
    (r"scanning an alias", "", "a text that starts with * is read as a reference: quote it", True),
    (r"scanning an anchor", "", "a text that starts with & is read as an anchor: quote it", True),
    ("found duplicate anchor", "", "this anchor (&) is here twice: name each once", False),
    ("", r"<document start>", _MISFIT, False),
    ("", r"mapping keys are not allowed", "a text that starts with ? is read as a key: quote it", False),
    (r"scanning a directive", "", "a line that starts with % is read as a directive: quote it", True),
    (r"scanning a block scalar", "", "a text that starts with | or > is read as a block of text: quote it", True),
    (r"scanning a quoted scalar", "", "the quote that opens here is never closed", True),
    (r"double-quoted scalar", "", r'an unknown \ in "…": write \\, or use single quotes', False),
    (r"scanning a simple key", "", 'a line that is no "key: value": is a colon missing, or a quote?', True),
    (r"flow mapping", "", f"expected , or }} here: {_TEXT_IN_A_FLOW}", False),
    (r"flow sequence", "", f"expected , or ] here: {_TEXT_IN_A_FLOW}", False),
    (r"block (mapping|collection)", "", _MISFIT, False),
    ("", r"sequence entries are not allowed", "a list item (- ) must start on its own line", False),
    ("", r"another document", "a second document (---): one file holds one", False),
)  # fmt: skip


def explain_syntax_error(error: Exception, text: str) -> tuple[Position, str]:
    """Return where and what a syntax error is: its place, and words with what would be right."""
    if isinstance(error, ReaderError):
        return _place(text, error.position), "a control character: remove it"
    if not isinstance(error, yaml.MarkedYAMLError):
        return (1, 1), "a number in an escape or a directive is out of range"
    place = error.problem_mark or error.context_mark
    mark = (place.line + 1, place.column + 1) if place else (1, 1)
    return _template_accident(mark, text) or _phrase(error, mark)


def _phrase(error: yaml.MarkedYAMLError, mark: Position) -> tuple[Position, str]:
    for context, problem, words, from_start in _PHRASES:
        said = re.search(problem, error.problem or "")
        if said and re.search(context, error.context or ""):
            start = error.context_mark if from_start else None
            place = (start.line + 1, start.column + 1) if start else mark
            return place, said.expand(words) if said.re.groups else words
    return mark, error.problem or "this is not YAML"


def _template_accident(mark: Position, text: str) -> tuple[Position, str] | None:
    """Recognise `{{ … }}` or `${…}` without quotes on the line that could not be read."""
    lines = _LINE_END.split(text)
    if mark[0] > len(lines):
        return None
    line = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), lines[mark[0] - 1])
    for opening in ("{{", "${"):
        if 0 <= (at := line.find(opening)) < mark[1] + len(opening):
            return (mark[0], at + 1), f"{opening} … {'}' * opening.count('{')} without quotes: quote the whole text"
    return None


def _place(text: str, position: int) -> Position:
    before = _LINE_END.split(text[:position])
    return len(before), len(before[-1]) + 1
