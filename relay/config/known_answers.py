"""What people write from the habit of other programs, and what it is called here. Pure."""

from collections.abc import Mapping
from typing import Final

_WON: Final = ("142", "won")
_LOST: Final = ("143", "lost")
_STATUSES: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(("won", "success", "успешно", "выиграно", "успешно реализовано", "closed won"), _WON),
    **dict.fromkeys(("lost", "проиграно", "закрыто", "закрыто и не реализовано", "closed lost"), _LOST),
}


def known_status(name: str) -> tuple[str, str] | None:
    """Return the id and the meaning of a status that every pipeline has; None for any other."""
    return _STATUSES.get(name.strip().casefold())
