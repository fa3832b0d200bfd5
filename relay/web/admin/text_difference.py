"""The difference of two texts, line by line. Pure."""

from difflib import SequenceMatcher
from typing import Literal

from relay.model import Record


class DifferenceLine(Record):
    """A line that is in both texts, or only in one."""

    kind: Literal["same", "old", "new"]
    text: str


def difference(before: str, after: str) -> list[DifferenceLine]:
    """Return the lines of two texts, those that only one of them has marked."""
    old, new = before.splitlines(), after.splitlines()
    lines: list[DifferenceLine] = []
    for kind, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=True).get_opcodes():
        if kind == "equal":
            lines += [DifferenceLine(kind="same", text=line) for line in old[start:end]]
            continue
        lines += [DifferenceLine(kind="old", text=line) for line in old[start:end]]
        lines += [DifferenceLine(kind="new", text=line) for line in new[new_start:new_end]]
    return lines
