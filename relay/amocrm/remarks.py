"""Remarks: what of a body could not be read, where the rest of it could."""

from collections.abc import Callable, Sequence
from typing import Final, NoReturn, TypeAlias

from relay.errors import Malformed

AddRemark: TypeAlias = Callable[[str], object]
"""Takes a remark. One names the field it is about and never shows a value."""

MAX_REMARKS: Final = 10  # that a receipt keeps


def refuse(remark: str) -> NoReturn:
    """Raise Malformed with a remark: for who wants all of a body or nothing."""
    raise Malformed(remark)


def ignore(remark: str) -> None:
    """Drop a remark: for who only wants what can be read."""


def limit_remarks(remarks: Sequence[str]) -> list[str]:
    """Return the first remarks, and how many more there are."""
    more = len(remarks) - MAX_REMARKS
    return [*remarks[:MAX_REMARKS], f"and {more:,} more remarks"] if more > 0 else list(remarks)
