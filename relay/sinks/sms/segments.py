"""How many messages a text is on the air, which is how gateways count and charge.

GSM 03.38's alphabet carries 160 characters, or 153 in each of several; one character outside it (any Cyrillic letter)
makes the whole text UCS-2: 70 or 67 UTF-16 units. Nothing that takes two places is split between two messages.
"""

from collections.abc import Iterable
from typing import Final

_ALPHABET: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")  # behind an escape: two places each
_GSM: Final = (160, 153)
_UCS2: Final = (70, 67)


def segments(text: str) -> int:
    """Count the messages of a text; an empty one is one too."""
    if is_gsm(text):
        return _count([2 if character in _EXTENDED else 1 for character in text], *_GSM)
    return _count([2 if ord(character) > 0xFFFF else 1 for character in text], *_UCS2)


def is_gsm(text: str) -> bool:
    """Return whether GSM 03.38's alphabet has all of its characters."""
    return _ALPHABET.union(_EXTENDED).issuperset(text)


def _count(sizes: Iterable[int], alone: int, together: int) -> int:
    sizes = list(sizes)
    if sum(sizes) <= alone:
        return 1
    count, free = 1, together
    for size in sizes:
        if size > free:
            count, free = count + 1, together
        free -= size
    return count
