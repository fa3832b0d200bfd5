"""Suggest what would be right instead of an unknown name."""

import difflib
from collections.abc import Iterable

_MAX_LISTED = 12


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the known name that is nearest to an unknown one, or some of the known names, as part of a sentence."""
    names = sorted(known)
    if close := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
        return f"did you mean {close[0]}?"
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return f"known: {', '.join(names[:_MAX_LISTED])}{more}" if names else "there is none"
