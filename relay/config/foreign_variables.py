"""Recognise variables of the environment as shells, Windows, make and templates write them. Pure."""

import re

_MEANT = re.compile(
    r"\$env:(?P<powershell>[A-Za-z_]\w*)|\$\((?P<make>[A-Z_][A-Z0-9_]*)\)|%(?P<windows>[A-Z_][A-Z0-9_]{2,})%"
    r"|\{\{\s*(?:env|environ|ENV)\b[.\[\"']*(?P<template>\w+)[\"'\]]*\s*\}\}|\$(?P<shell>[A-Z][A-Z0-9_]{2,})(?![\w{])"
)
_BEGINNING = frozenset(" /=:\"',;(&?@")  # what may stand before a variable within a text


def variable_meant(text: str, *, anywhere: bool) -> tuple[str, str] | None:
    """Return what in a text was meant as a variable, and how it is written: `$NAME` of a shell, `%NAME%` of Windows.

    `anywhere`: also within the text, not only as the whole of it.
    """
    for found in _MEANT.finditer(text):
        is_whole = found[0] == text.strip()
        if is_whole or (anywhere and (found.start() == 0 or text[found.start() - 1] in _BEGINNING)):
            return found[0], f"${{{found[found.lastgroup or 0]}}}"
    return None
