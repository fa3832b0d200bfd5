"""What templates compute with and put out: missing values, texts, JSON-able values, and how much of them."""

from collections.abc import Iterable, Iterator, KeysView, Sequence, ValuesView
from math import isfinite
from typing import Final, NoReturn, Protocol, runtime_checkable

from jinja2 import Undefined, UndefinedError

from relay.errors import RejectDelivery
from relay.model import Json

LONGEST: Final = 1 << 20  # characters of a text that an expression may make on its way to the output
MOST: Final = 10_000  # elements of a list that it may make
BITS: Final = 256  # of a whole number that it may compute

_DEEPEST = 50  # lists within lists


@runtime_checkable
class _Items(Protocol):
    """A mapping, or what looks like one: the custom fields of a view."""

    def items(self) -> Iterable[tuple[object, object]]: ...


class NobodyError(UndefinedError):
    """The value would name whom to deliver to, and there is none."""


class UnusableError(UndefinedError):
    """The value is there, but is empty where something is needed."""


class Missing(Undefined):
    """A value that is not there: false, and an error as soon as it is put out, compared or computed with.

    Filters hand it on, so `default`, `omit` and `or` at the end of a chain still see it. Its name is the whole
    expression ("lead.price").
    """

    __slots__ = ()

    # As StrictUndefined has them, but for the truth value, which it refuses too.
    __iter__ = __str__ = __len__ = Undefined._fail_with_undefined_error
    __eq__ = __ne__ = __hash__ = Undefined._fail_with_undefined_error
    __contains__ = Undefined._fail_with_undefined_error

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"{self._undefined_name} is not in this hook"

    def use(self) -> NoReturn:
        """Raise what using it means."""
        self._fail_with_undefined_error()

    def within(self, expression: str) -> "Missing":
        """Name a part of it: what is in a thing that is missing is missing too."""
        return Missing(name=expression, exc=self._undefined_exception)

    def nobody(self) -> "Missing":
        """Take it for the missing name of a receiver: the delivery is skipped, not wrong."""
        return Missing(self._undefined_message, exc=NobodyError)


class Omit:
    """The value of `| omit` where there is none: its key or list element is left out."""


OMIT: Final = Omit()


class Meter:
    """Counts what a delivery puts out, in bytes of UTF-8, and stops it when that is too much."""

    __slots__ = ("cap", "left")

    def __init__(self, cap: int) -> None:
        self.cap = self.left = cap

    def take(self, text: str) -> str:
        """Count a text and give it back. Raise RejectDelivery where it is too much or no Unicode."""
        self.spend(len(text) if text.isascii() else _utf8(text))
        return text

    def spend(self, size: int) -> None:
        """Count so many bytes."""
        self.left -= size
        if self.left < 0:
            raise RejectDelivery(f"the content is larger than {self.cap} bytes")


def _utf8(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise RejectDelivery("the text holds half a character (a lone surrogate), which nobody can send") from None


def shown(value: object) -> str:
    """Write the value seen for a person, cut where it is long."""
    if value == "":
        return "an empty value"
    text = repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"


def short(value: str) -> str:
    """Refuse a text that is too long to be on its way to an output."""
    if len(value) > LONGEST:
        raise RejectDelivery(f"a text of {len(value)} characters is too long")
    return value


def bounded(values: list[object]) -> list[object]:
    """Refuse a list that is too long to be on its way to an output."""
    if len(values) > MOST:
        raise RejectDelivery(f"a list of {len(values)} elements is too long")
    return values


def text(value: object) -> str:
    """Write a single value as text: truth values as JSON does, lists and mappings not at all."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Missing):
        value.use()
    if value is None:
        raise UnusableError("the value is none: write | default('…') for it")
    raise RejectDelivery(f"a {type(value).__name__} is no text: write | join(', ') or | json")


def plain(value: object, meter: Meter, depth: int = 0) -> Json:
    """Make a JSON-able value of what an expression gave, or raise RejectDelivery."""
    if isinstance(value, str):
        return meter.take(str(value))
    meter.spend(2)  # at least that much: a separator and something
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, Missing):
        value.use()
    if depth > _DEEPEST:
        raise RejectDelivery(f"lists or mappings nested more than {_DEEPEST} deep")
    return _nested(value, meter, depth + 1)


def _nested(value: object, meter: Meter, depth: int) -> Json:
    if isinstance(value, Sequence | Iterator | KeysView | ValuesView):
        return [plain(element, meter, depth) for element in value]
    if isinstance(value, _Items):
        return {meter.take(text(key)): plain(element, meter, depth) for key, element in value.items()}
    raise RejectDelivery(f"{shown(value)} cannot be sent: only texts, numbers, lists and mappings can")
