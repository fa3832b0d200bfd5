"""Texts, each written in English where it is used, and their translations.

A translation is found by its English text in `<language>/*.yaml`: a text, or where it goes by a number the
forms that the language has (Russian: 1 событие, 2 события, 5 событий). A test compares these files with what the code
and the templates say, so there is neither a text without a translation nor one that nobody uses.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, TypeAlias

from markupsafe import Markup, escape

from relay.model import Record

LANGUAGES: Final = {"en": "English", "ru": "Русский"}
KNOWN: Final = ("operations.yaml", "reasons.yaml", "answers.yaml")
"""Lines that operations and sinks say, for commands and pages alike; what stands there in braces may be any text."""
DURATION_UNITS: Final = ("{n}d", "{n}h", "{n}m", "{n}s", "{n}ms")
SIZE_UNITS: Final = ("{n} B", "{n} kB", "{n} MB", "{n} GB", "{n} TB")  # each a thousand of the one before
_NOTHING_MORE: Final = re.compile(r" 0[hms]$")
_DURATION: Final = re.compile(r"\d+(?:\.\d)?(?:ms|[dhms])(?: \d+[hms])?", re.ASCII)
_BREAK: Final = "; "
_MOST: Final = 2000
_LOOKS: Final = {"time": r"\d{4}-\d\d-\d\d \d\d:\d\d\S*", "time2": r"\d{4}-\d\d-\d\d \d\d:\d\d\S*", "n": r"\d[\d,]*"}
_OPEN_BEGINNING: Final = re.compile(r"{(?!(?:time|time2|n)})")
_PLACE: Final = re.compile(r"{\w+}")
_AS_WRITTEN: Final = ("place", "key", "who")  # in the file, such as `phone`, or by people: no words of pages
Catalogue: TypeAlias = Mapping[str, "str | Sequence[str]"]


class UiText(Record):
    """A text to be translated when it is shown, with values for its `{names}`."""

    text: str
    values: Mapping[str, object] = {}
    many: str = ""  # the English text for more than one, where it goes by the value `n`


def message(text: str, **values: object) -> UiText:
    """Make a message of a constant text."""
    return UiText(text=text, values=values)


def counted(one: str, many: str, n: int, **values: object) -> UiText:
    """Make a message that goes by a number, `{n}` in its text."""
    return UiText(text=one, many=many, values={"n": n, **values})


class Translator:
    """Says messages in a language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._catalogue = load_catalogue(language)
        self._form = _FORMS[language]
        lines = {text: form for name in KNOWN for text, form in _load_file(language, name).items()}
        patterns = [_LinePattern(text, str(form)) for text, form in lines.items() if "{" in text]
        patterns.sort(key=lambda one: one.order)
        self._patterns = [one for one in patterns if _BREAK not in one.text]
        self._of_actions = [one for one in self._patterns if "action {id}" in one.text]
        self._long_patterns = [one for one in patterns if _BREAK in one.text]

    def text(self, text: str, /, **values: object) -> str:
        """Translate a text, and fill in its values."""
        found = self._catalogue.get(text, text)
        return _fill(found if isinstance(found, str) else found[0], values)

    def count(self, one: str, many: str, n: int, /, **values: object) -> str:
        """Translate a text in the form that goes with a number."""
        found = self._catalogue.get(one, (one, many))
        forms = (found,) if isinstance(found, str) else found
        return _fill(forms[min(self._form(n), len(forms) - 1)], {"n": self.number(n), **values})

    def word(self, text: str) -> str:
        """Translate a word that comes from the store, such as a state; one that is unknown stays as it is."""
        return self.text(text) if text in self._catalogue else text

    def known(self, text: str) -> str | None:
        """Translate a line that a command prints too; None where it is not known, as what a sink or a person says.

        Of a line in parts, with semicolons between, each is a line of its own.
        """
        if text in self._catalogue and "{" not in text:
            return self.text(text)
        if _DURATION.fullmatch(text):
            return self.duration(text)
        if len(text) > _MOST:  # what others said: no line of an operation is so long
            return None
        if _BREAK not in text:
            return self._by_pattern(text, self._patterns)
        if (whole := self._by_pattern(text, self._long_patterns)) is not None:
            return whole
        parts = text.split(_BREAK)
        known = [self.known(part) for part in parts]
        commands = parts[0].startswith("relay ")  # which are the same in every language
        if not any(known) or (known[0] is None and not commands):
            return None
        return _BREAK.join(found or part for found, part in zip(known, parts, strict=True))

    def words(self, text: str) -> str:
        """Leave what a person wrote as it is; only the action for which it stands is named in the language."""
        return self._by_pattern(text, self._of_actions) or text

    def _by_pattern(self, text: str, patterns: Sequence["_LinePattern"]) -> str | None:
        for one in patterns:
            if (values := one.match(text)) is not None:
                return _fill(one.translated, {name: self._value(name, part) for name, part in values.items()})
        return None

    def _value(self, name: str, part: str) -> str:
        if name == "words":
            return self.words(part)
        return part if name in _AS_WRITTEN else self.known(part) or part

    def say(self, message: UiText | str) -> str:
        """Translate a message. A plain text is what an operation, a sink or a person says: it may stay as it is."""
        if isinstance(message, str):
            return self.known(message) or message
        values = {name: self.say(value) if isinstance(value, UiText) else value
                  for name, value in message.values.items()}  # fmt: skip
        if message.many:
            n = values.pop("n")
            assert isinstance(n, int)
            return self.count(message.text, message.many, n, **values)
        return self.text(message.text, **values) if values else self.known(message.text) or message.text

    def duration(self, span: str) -> str:
        """Write a duration that `format_duration` has written, such as "1m 48s"."""
        text = _NOTHING_MORE.sub("", span)
        return re.sub(r"([\d.]+)([a-z]+)", lambda found: self._measure(found[1], f"{{n}}{found[2]}"), text)

    def size(self, n: int) -> str:
        """Write a number of bytes in the largest unit of which it is one at least."""
        step = min(max(len(str(n)) - 1, 0) // 3, len(SIZE_UNITS) - 1)
        return self._measure(f"{n / 1000**step:.1f}" if step else str(n), SIZE_UNITS[step])

    def _measure(self, number: str, unit: str) -> str:
        return self.text(unit, n=number if self.language == "en" else number.replace(".", ","))

    def number(self, n: int) -> str:
        """Write a number with its thousands apart."""
        return f"{n:,}".replace(",", "," if self.language == "en" else "\N{NARROW NO-BREAK SPACE}")


@cache
def translator(language: str) -> Translator:
    """Return the translator of a language."""
    return Translator(language)


@cache
def load_catalogue(language: str) -> Catalogue:
    """Read all translations into a language."""
    folder = files("relay.translation") / language
    names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    return {text: form for name in names for text, form in _load_file(language, name).items()}


@cache
def _load_file(language: str, name: str) -> Catalogue:
    file = files("relay.translation") / language / name
    if not file.is_file():
        return {}
    import yaml  # few commands say anything in another language than English

    found: Catalogue = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
    return found


def choose_language(cookie: str, accepted: str) -> str:
    """Return the language that was chosen, or else the first one of `Accept-Language` that there is."""
    wanted = [cookie, *(part.partition(";")[0].strip()[:2].lower() for part in accepted.split(","))]
    return next((one for one in wanted if one in LANGUAGES), "en")


class _LinePattern:
    """Finds a line by its text with values. Most lines lack the longest piece of it, which is looked for first."""

    def __init__(self, text: str, translated: str) -> None:
        self.text = text
        self.translated = translated
        self._longest = max(_PLACE.split(text), key=len)
        # Whose beginning is known goes first ("2 × address: no address" is a number of causes), then what says more.
        self.order = (bool(_OPEN_BEGINNING.match(text)), -len(_PLACE.sub("", text)))
        self._pattern = _pattern(text)

    def match(self, text: str) -> dict[str, str] | None:
        found = self._pattern.fullmatch(text) if self._longest in text else None
        return found.groupdict() if found else None


def _pattern(text: str) -> re.Pattern[str]:
    """Return what finds a text with its values: of times and numbers those that look like it."""
    parts = re.split(r"{(\w+)}", text)
    names = [f"(?P<{part}>{_LOOKS.get(part, '.+?')})" if at % 2 else re.escape(part) for at, part in enumerate(parts)]
    return re.compile("".join(names), re.DOTALL)


def _fill(text: str, values: Mapping[str, object]) -> str:
    """Fill in values. One that is markup, such as a time, stays so: all else is escaped then."""
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(text).format_map(values)
    return text.format_map(values) if values else text


def _english_form(n: int) -> int:
    return 0 if n == 1 else 1


def _russian_form(n: int) -> int:
    """Return 0 for 1, 21, 31…; 1 for 2 to 4, 22 to 24…; 2 for all others, 11 to 14 among them."""
    if n % 10 == 1 and n % 100 != 11:
        return 0
    return 1 if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else 2


_FORMS: Final[Mapping[str, Callable[[int], int]]] = {"en": _english_form, "ru": _russian_form}
