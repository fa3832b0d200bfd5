"""What templates compute with and put out: missing values, texts, JSON-able values, and how much of them."""

from collections.abc import Iterable, Iterator, KeysView, Sequence, ValuesView
from math import isfinite
from typing import Final, NoReturn, Protocol, runtime_checkable

from jinja2 import Undefined, UndefinedError

from relay.errors import RejectDelivery
from relay.model import Json

MAX_TEXT: Final = 1 << 20  # characters of a text that an expression may make on its way to the output
MAX_ELEMENTS: Final = 10_000  # elements of a list that it may make
MAX_BITS: Final = 256  # of a whole number that it may compute

_MAX_DEPTH = 50  # lists within lists


@runtime_checkable
class _SupportsItems(Protocol):
    """A mapping, or what looks like one: the custom fields of a view."""

    def items(self) -> Iterable[tuple[object, object]]: ...


class NoRecipientError(UndefinedError):
    """The value would name whom to deliver to, and there is none."""


class EmptyValueError(UndefinedError):
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
        return Missing(self._undefined_message, exc=NoRecipientError)


class Omit:
    """The value of `| omit` where there is none: its key or list element is left out."""


OMIT: Final = Omit()


class OutputBudget:
    """Counts what a delivery puts out, in bytes of UTF-8, and stops it when that is too much."""

    __slots__ = ("cap", "left")

    def __init__(self, cap: int) -> None:
        self.cap = self.left = cap

    def take(self, text: str) -> str:
        """Count a text and give it back. Raise RejectDelivery where it is too much or no Unicode."""
        self.spend(len(text) if text.isascii() else _utf8_size(text))
        return text

    def spend(self, size: int) -> None:
        """Count so many bytes."""
        self.left -= size
        if self.left < 0:
            raise RejectDelivery(f"the content is larger than {self.cap} bytes")


def _utf8_size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise RejectDelivery("the text holds half a character (a lone surrogate), which nobody can send") from None


def describe_value(value: object) -> str:
    """Write the value seen for a person, cut where it is long."""
    if value == "":
        return "an empty value"
    text = repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"


def check_text_length(value: str) -> str:
    """Refuse a text that is too long to be on its way to an output."""
    if len(value) > MAX_TEXT:
        raise RejectDelivery(f"a text of {len(value)} characters is too long")
    return value


def check_list_length(values: list[object]) -> list[object]:
    """Refuse a list that is too long to be on its way to an output."""
    if len(values) > MAX_ELEMENTS:
        raise RejectDelivery(f"a list of {len(values)} elements is too long")
    return values


def to_text(value: object) -> str:
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
        raise EmptyValueError("the value is none: write | default('…') for it")
    raise RejectDelivery(f"a {type(value).__name__} is no text: write | join(', ') or | json")


def to_json_value(value: object, meter: OutputBudget, depth: int = 0) -> Json:
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
    if depth > _MAX_DEPTH:
        raise RejectDelivery(f"lists or mappings nested more than {_MAX_DEPTH} deep")
    return _nested(value, meter, depth + 1)


def _nested(value: object, meter: OutputBudget, depth: int) -> Json:
    if isinstance(value, Sequence | Iterator | KeysView | ValuesView):
        return [to_json_value(element, meter, depth) for element in value]
    if isinstance(value, _SupportsItems):
        return {meter.take(to_text(key)): to_json_value(element, meter, depth) for key, element in value.items()}
    raise RejectDelivery(f"{describe_value(value)} cannot be sent: only texts, numbers, lists and mappings can")
