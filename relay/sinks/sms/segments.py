"""How many segments a text has, which is how gateways count and charge.

GSM 03.38's alphabet carries 160 characters, or 153 in each of several; one character outside it (any Cyrillic letter)
makes the whole text UCS-2: 70 or 67 UTF-16 units. What takes two places is never split between two segments.
"""

from collections.abc import Iterable
from typing import Final

_ALPHABET: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")  # sent after an escape character: two places each
_GSM: Final = (160, 153)
_UCS2: Final = (70, 67)


def count_segments(text: str) -> int:
    """Count the segments of a text, at least one."""
    if is_gsm(text):
        return _count([2 if character in _EXTENDED else 1 for character in text], *_GSM)
    return _count([2 if ord(character) > 0xFFFF else 1 for character in text], *_UCS2)


def is_gsm(text: str) -> bool:
    """Return whether GSM 03.38's alphabet has all of its characters."""
    return _ALPHABET.union(_EXTENDED).issuperset(text)


def _count(sizes: Iterable[int], single: int, part: int) -> int:
    sizes = list(sizes)
    if sum(sizes) <= single:
        return 1
    count, free = 1, part
    for size in sizes:
        if size > free:
            count, free = count + 1, part
        free -= size
    return count
