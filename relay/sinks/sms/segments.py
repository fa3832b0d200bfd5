"""How many segments a text has, which is how gateways count and charge.

GSM 03.38's alphabet carries 160 characters, or 153 in each of several; one character outside it (any Cyrillic letter)
makes the whole text UCS-2: 70 or 67 UTF-16 units. What takes two places is never split between two segments.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

_ALPHABET: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")  # sent after an escape character: two places each
_GSM: Final = (160, 153)
_UCS2: Final = (70, 67)


# What people and filters write for looks, and what the alphabet has in its place.
_PLAIN: Final = str.maketrans(
    {
        **dict.fromkeys(
            "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{FIGURE SPACE}\N{THIN SPACE}\N{HAIR SPACE}\t", " "
        ),
        **dict.fromkeys("\N{EN SPACE}\N{EM SPACE}\N{PUNCTUATION SPACE}\N{SIX-PER-EM SPACE}\N{FOUR-PER-EM SPACE}", " "),
        **dict.fromkeys("\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{EN DASH}\N{EM DASH}", "-"),
        **dict.fromkeys("\N{HORIZONTAL BAR}\N{MINUS SIGN}\N{BULLET}\N{MIDDLE DOT}", "-"),
        **dict.fromkeys("«»“”„‟\N{DOUBLE PRIME}", '"'),
        **dict.fromkeys("‘’‚‛‹›\N{PRIME}\N{MODIFIER LETTER APOSTROPHE}", "'"),
        **dict.fromkeys("\N{ZERO WIDTH SPACE}\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}\N{WORD JOINER}", ""),
        **dict.fromkeys("\N{ZERO WIDTH NO-BREAK SPACE}\N{SOFT HYPHEN}", ""),
        **dict.fromkeys("\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}", "\n"),
        "…": "...",
        "×": "x",
    }
)


def fit_gsm(text: str) -> str:
    """Return a text with plain characters in place of typographic ones, where it then fits GSM 03.38's alphabet.

    A text that does not (any Cyrillic one) stays as it is, and so does one that would be more segments.
    """
    if is_gsm(text):
        return text
    plain = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return plain if is_gsm(plain) and count_segments(plain) <= count_segments(text) else text


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
