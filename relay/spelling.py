"""What an unknown name was probably meant to be: by its spelling, and by letters of another alphabet. Pure.

A wrong suggestion does more harm than none, so only what is a slip of the fingers is suggested: one wrong letter in a
short name, two in a longer one, letters in another order, or the beginning of one name only.
"""

from collections.abc import Iterable
from typing import Final

_SHORT, _FEWEST = 4, 3  # letters: of a name that may have one slip; of a beginning that tells a name
_LATIN: Final = dict(zip("аеосрхукмтвнігАЕОСРХУКМТВНІ", "aeocpxykmtbhirAEOCPXYKMTBHI", strict=True))
_TO_LATIN: Final = str.maketrans(_LATIN)
_BLANKS: Final = {
    "\u00a0": "a no-break space (U+00A0)",
    "\u202f": "a narrow no-break space (U+202F)",
    "\u2007": "a figure space (U+2007)",
    "\u200b": "an invisible zero-width space (U+200B)",
    "\u2060": "an invisible word joiner (U+2060)",
    "\ufeff": "an invisible byte order mark (U+FEFF)",
    "\u00ad": "an invisible soft hyphen (U+00AD)",
}
_QUOTES: Final = {mark: f"a typographic quote ({mark})" for mark in "“”„‘’«»"}


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was certainly meant, None where none is near enough."""
    names = sorted(own for own in known if not mixes_alphabets(own))
    folded = name.strip().casefold()
    if not folded or folded.isdigit():
        return None  # a number that is near another one is another one
    same = [own for own in names if own.casefold() == folded]
    allowed = 0 if len(folded) < _FEWEST else 1 if len(folded) <= _SHORT else 2
    candidates = [own for own in names if abs(len(own) - len(folded)) <= allowed and not _is_abbreviation(own, name)]
    near = sorted((_distance(folded, own.casefold()), own) for own in candidates)
    if same or (near and near[0][0] <= allowed):
        return same[0] if same else near[0][1]
    beginnings = [own for own in names if len(folded) >= _FEWEST and own.casefold().startswith(folded)]
    return beginnings[0] if len(beginnings) == 1 else None


def _is_abbreviation(own: str, name: str) -> bool:
    """Return whether both are abbreviations: MST is no slip of MSK."""
    return len(own) == len(name) == _FEWEST and own.isupper() and name.isupper()


def look_alike(name: str, known: Iterable[str]) -> str | None:
    """Return what is wrong where only letters of another alphabet tell a name from a known one, else None."""
    plain = name.translate(_TO_LATIN)
    for own in known:
        if own != name and not mixes_alphabets(own) and own.translate(_TO_LATIN) == plain:
            differing = [(at, letter) for at, letter in enumerate(name) if letter != own[at]]
            at, letter = differing[0]
            return f"its {letter} (letter {at + 1}) is {_alphabet(letter)}: write {own}"
    return None


def foreign_letter(text: str) -> str | None:
    """Describe the first Cyrillic letter in what must be Latin: `the о (letter 2) is Cyrillic`; None: there is none."""
    for at, letter in enumerate(text):
        if _is_cyrillic(letter):
            return f"the {letter} (letter {at + 1}) is Cyrillic"
    return None


def mixes_alphabets(word: str) -> bool:
    """Return whether a word has Latin and Cyrillic letters: no word has, so one of them was typed by mistake."""
    return any(map(_is_cyrillic, word)) and any(letter.isascii() and letter.isalpha() for letter in word)


def invisible_blank(text: str) -> tuple[int, str] | None:
    """Return the position and the name of the first blank that only looks like one, or that nobody sees; else None."""
    return next(((at, _BLANKS[letter]) for at, letter in enumerate(text) if letter in _BLANKS), None)


def typographic_quote(text: str) -> str | None:
    """Return the name of the first typographic quote in a text; None where there is none."""
    return next((_QUOTES[letter] for letter in text if letter in _QUOTES), None)


def _alphabet(letter: str) -> str:
    return "Cyrillic" if _is_cyrillic(letter) else "Latin"


def _is_cyrillic(letter: str) -> bool:
    return "\u0400" <= letter <= "\u04ff"


def _distance(one: str, other: str) -> int:
    """Count the letters to insert, remove, replace or swap with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, last, row = row, before, [at]
        for place, wanted in enumerate(other, 1):
            cost = min(before[place] + 1, row[place - 1] + 1, before[place - 1] + (letter != wanted))
            if last and place > 1 and letter == other[place - 2] and one[at - 2] == wanted:
                cost = min(cost, last[place - 2] + 1)
            row.append(cost)
    return row[-1]
