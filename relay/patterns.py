"""Regular expressions that meet strangers' texts, by an engine without backtracking. Pure.

A pattern is written as Python's `re` reads it, and RE2 searches: in a time linear in the text, so no text can halt a
worker. Python's `re` tries all ways to divide `aaaa…!` among `(\\w+\\s?)+`, which never ends.
"""

import re
import unicodedata
import warnings
from collections.abc import Callable
from typing import Final, TypeAlias

import re2

Search: TypeAlias = Callable[[str], bool]

# What `\w`, `\d` and `\s` mean in Python; RE2's know ASCII only. Each stands in a class or makes one.
_CLASSES: Final = {
    "w": r"\p{L}\p{N}_",
    "d": r"\p{Nd}",
    "s": r"\t\n\v\f\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}",
}
# `\W` and `\S` within a class, where RE2 has no complement of a class.
_COMPLEMENTS: Final = {
    "W": r"\p{M}\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}\x{203f}\x{2040}\x{2054}\x{fe33}\x{fe34}\x{fe4d}-\x{fe4f}\x{ff3f}"
    r"\p{S}\p{Z}\p{C}",
    "D": r"\P{Nd}",
    "S": r"\x00-\x08\x0e-\x1b\x21-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}"
    r"\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}",
}
_REFUSED: Final = {
    r"\b": r"for a whole word write (^|\W)word(\W|$)",
    r"\B": r"write \w where the word goes on",
    "(?=": "look-arounds are not searched for: write a pattern of what is there",
    "(?!": "look-arounds are not searched for: write a second condition instead",
    "(?<=": "look-arounds are not searched for: write what stands before as a part of the pattern",
    "(?<!": "look-arounds are not searched for: write a second condition instead",
    "(?P=": "a text cannot be compared with a group before it: write the pattern again",
    "(?(": "conditional groups are not searched for: write both ways with |",
    "(?>": "atomic groups are not needed here, no pattern takes long: write (?:",
    "(?x": "the flag x is not known: write the pattern without blanks and comments",
    "(?a": r"the flag a is not known: write [0-9] for \d, [A-Za-z0-9_] for \w",
    "(?u": "the flag u is not needed, texts are Unicode: leave it out",
    "++": "possessive repetitions are not needed here, no pattern takes long: leave out the second sign",
}
_ESCAPE: Final = (
    r"\\(?:N\{[^}]*\}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|0[0-7]{0,2}|[1-3][0-7]{2}|[1-9][0-9]?|.)"
)
_IN_CLASS: Final = re.compile(_ESCAPE + "|.", re.DOTALL)
_OUTSIDE: Final = re.compile(
    _ESCAPE + r"|\[\^?|\(\?#[^)]*\)|\(\?(?:<[=!]|P=|[=!>(])|\{,[0-9]+\}|(?:[*+?]|\{[0-9,]+\})\+|.", re.DOTALL
)
_FLAGS: Final = re.compile(r"\(\?([a-zA-Z]*)(?:-[a-z]+)?[:)]")
_MAX_MEMORY: Final = 8 << 20  # bytes that a compiled pattern may take


class PatternError(ValueError):
    """A text that is no regular expression, or none that is safe to search with."""


def compile_pattern(text: str) -> Search:
    """Return a search for a pattern anywhere in a text. Raises PatternError that says how to write it."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about what a later Python may read otherwise
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f'"{text}" is no regular expression: {error}') from None
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MAX_MEMORY
    try:
        search = re2.compile(_translate(text), options).search
    except re2.error as error:
        raise PatternError(f'"{text}" cannot be searched for: {_reason(error)}') from None
    return lambda seen: search(seen.encode("utf-8", "replace")) is not None


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    if told.startswith("invalid repetition size"):
        return "a part may be repeated 1000 times at most"
    return "it is too large" if "too large" in told else told


def _translate(text: str) -> str:
    """Return what RE2 reads as Python reads `text`, which Python accepts. Raises PatternError."""
    flags = "".join(found[1] for found in _FLAGS.finditer(text))
    for flag in flags:
        _refuse_where_known(text, f"(?{flag}")
    parts: list[str] = []
    at, class_begin = 0, -1  # where the class began that `at` stands in
    while at < len(text):
        token = (_OUTSIDE if class_begin < 0 else _IN_CLASS).match(text, at)[0]  # type: ignore[index]  # it matches all
        if class_begin >= 0:
            # The first one of a class is itself, as in []a].
            if token == "]" and at > class_begin:
                class_begin = -1
                parts.append(token)
            else:
                parts.append(_in_class(token))
        else:
            parts.append(_outside(text, token, multiline="m" in flags))
            if token in ("[", "[^"):
                class_begin = at + len(token)
        at += len(token)
    return "".join(parts)


def _in_class(token: str) -> str:
    if token[0] != "\\":
        return "\\" + token if token in "[]" else token
    if token == r"\b":
        return r"\x08"
    return _COMPLEMENTS.get(token[1]) or _CLASSES.get(token[1]) or _escape(token)


def _outside(text: str, token: str, *, multiline: bool) -> str:
    _refuse_where_known(text, token)
    if token[0] == "\\":
        kind = token[1]
        if kind.lower() in _CLASSES:
            return f"[{'^' if kind.isupper() else ''}{_CLASSES[kind.lower()]}]"
        if kind in "123456789" and len(token) < 4:
            _refuse_where_known(text, "(?P=")
        return r"\z" if token == r"\Z" else _escape(token)
    if token == "$" and not multiline:
        return r"(?:\n?\z)"  # before a last line end too, as Python's
    if token.startswith("(?#"):
        return ""
    if token.startswith("{,"):
        return "{0" + token[1:]
    if len(token) > 1 and token.endswith("+"):
        _refuse_where_known(text, "++")
    return token


def _escape(token: str) -> str:
    kind, rest = token[1], token[2:]
    if kind == "N" and rest:
        return f"\\x{{{ord(unicodedata.lookup(rest[1:-1])):x}}}"
    if kind in "xuU":
        return f"\\x{{{rest}}}"
    if kind in "01234567":
        return f"\\x{{{int(token[1:], 8):x}}}"
    return token if kind.isascii() else kind  # RE2 refuses to escape what means nothing


def _refuse_where_known(text: str, token: str) -> None:
    if token in _REFUSED:
        raise PatternError(f'"{text}" cannot be searched for: {_REFUSED[token]}')
