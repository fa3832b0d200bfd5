"""The values of templates: missing ones, texts, JSON-able ones, and the limits of their size."""

from collections.abc import Iterable, Iterator, KeysView, Sequence, ValuesView
from math import isfinite
from typing import Final, NoReturn, Protocol, runtime_checkable

from jinja2 import Undefined, UndefinedError

from relay.errors import RejectDelivery
from relay.model import Json

MAX_TEXT: Final = 1 << 20  # characters of a text that an expression makes before it is output
MAX_ELEMENTS: Final = 10_000  # of a list that an expression makes
MAX_BITS: Final = 256  # of an integer that an expression computes

_MAX_DEPTH = 50  # lists within lists


@runtime_checkable
class _SupportsItems(Protocol):
    """A mapping, or an object like one: the custom fields of a view."""

    def items(self) -> Iterable[tuple[object, object]]: ...


class NoRecipientError(UndefinedError):
    """The missing value is the recipient: there is nobody to deliver to."""


class EmptyValueError(UndefinedError):
    """The value exists, but is empty where one is needed."""


class Missing(Undefined):
    """A missing value: false, and an error as soon as it is output, compared or computed with.

    Filters return it unchanged, so that `default`, `omit` and `or` at the end of a chain see it. Its name is the whole
    expression ("lead.price").
    """

    __slots__ = ()

    # As in StrictUndefined, except that it may be tested for truth.
    __iter__ = __str__ = __len__ = Undefined._fail_with_undefined_error
    __eq__ = __ne__ = __hash__ = Undefined._fail_with_undefined_error
    __contains__ = Undefined._fail_with_undefined_error

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"{self._undefined_name} is not in this hook"

    def fail(self) -> NoReturn:
        """Raise the error of using it."""
        self._fail_with_undefined_error()

    def part_of(self, expression: str) -> "Missing":
        """Return the missing value of an expression that reads a part of this one."""
        return Missing(name=expression, exc=self._undefined_exception)

    def as_recipient(self) -> "Missing":
        """Return it as a missing recipient: the delivery is skipped, and the route is right."""
        return Missing(self._undefined_message, exc=NoRecipientError)


class Omit:
    """The type of OMIT."""


OMIT: Final = Omit()
"""What `| omit` returns for a missing value: its key or list element is left out."""


class OutputBudget:
    """Limits the output of a delivery's templates, in bytes of UTF-8."""

    __slots__ = ("limit", "remaining")

    def __init__(self, cap: int) -> None:
        self.limit = self.remaining = cap

    def add_text(self, text: str) -> str:
        """Count a text and return it. Raises RejectDelivery where it is too much, or no valid Unicode."""
        self.add(len(text) if text.isascii() else _utf8_size(text))
        return text

    def add(self, size: int) -> None:
        """Count bytes. Raises RejectDelivery where they are too many."""
        self.remaining -= size
        if self.remaining < 0:
            raise RejectDelivery(f"the content is larger than {self.limit} bytes")


def _utf8_size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise RejectDelivery("the text holds half a character (a lone surrogate), which cannot be sent") from None


def describe_value(value: object) -> str:
    """Describe a value for a message: texts and numbers are quoted and cut, of the others the type is named."""
    if value == "":
        return "an empty value"
    text = repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"


def check_text_length(value: str) -> str:
    """Return a text. Raises RejectDelivery if it is too long to process."""
    if len(value) > MAX_TEXT:
        raise RejectDelivery(f"a text of {len(value)} characters is too long")
    return value


def check_list_length(values: list[object]) -> list[object]:
    """Return a list. Raises RejectDelivery if it is too long to process."""
    if len(values) > MAX_ELEMENTS:
        raise RejectDelivery(f"a list of {len(values)} elements is too long")
    return values


def to_text(value: object) -> str:
    """Return a value as text, truth values as in JSON. Raises RejectDelivery for a list or mapping."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Missing):
        value.fail()
    if value is None:
        raise EmptyValueError("the value is none: write | default('…') for it")
    raise RejectDelivery(f"a {type(value).__name__} is no text: write | join(', ') or | json")


def to_json_value(value: object, budget: OutputBudget, depth: int = 0) -> Json:
    """Return the value of an expression as a JSON-able one. Raises RejectDelivery where that is impossible."""
    if isinstance(value, str):
        return budget.add_text(str(value))
    budget.add(2)  # at least: a separator and one character
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, Missing):
        value.fail()
    if depth > _MAX_DEPTH:
        raise RejectDelivery(f"lists or mappings nested more than {_MAX_DEPTH} deep")
    return _nested(value, budget, depth + 1)


def _nested(value: object, budget: OutputBudget, depth: int) -> Json:
    if isinstance(value, Sequence | Iterator | KeysView | ValuesView):
        return [to_json_value(element, budget, depth) for element in value]
    if isinstance(value, _SupportsItems):
        return {budget.add_text(to_text(key)): to_json_value(element, budget, depth) for key, element in value.items()}
    raise RejectDelivery(f"{describe_value(value)} cannot be sent: only texts, numbers, lists and mappings can")
