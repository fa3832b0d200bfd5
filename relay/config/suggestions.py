"""Suggest what would be right instead of an unknown name."""

from collections.abc import Iterable

from relay.spelling import look_alike, nearest_name

_MAX_LISTED = 12


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the known name that is nearest to an unknown one, or some of the known names, as part of a sentence."""
    names = sorted(known)
    if problem := look_alike(name, names):
        return problem
    if meant := nearest_name(name, names):
        return f"did you mean {meant}?"
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return f"known: {', '.join(names[:_MAX_LISTED])}{more}" if names else "there is none"
