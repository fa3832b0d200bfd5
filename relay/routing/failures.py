"""Why something did not match, and the little that conditions ask of a view."""

import json
from typing import Protocol, TypeAlias

from relay.model import Record

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the condition's own name down to the place: ("where", "price", "gt")."""

_SHOWN = 80  # characters of a value that a message shows


class SupportsGet(Protocol):
    """The custom fields of a view, by name, id or code."""

    def get(self, key: str, /) -> object:
        """Return the value, or None when the hook did not carry the field."""


class SupportsFields(Protocol):
    """What conditions look at: values are texts or lists of texts."""

    def get(self, field: str, /) -> object:
        """Return the value, or None when the hook did not carry the field."""

    @property
    def custom(self) -> SupportsGet:
        """Return the custom fields."""


class FailureExplainer(Protocol):
    """What failed, and can say so."""

    def explain(self, failure: "Failure", /) -> str:
        """Put the failure into plain words."""


class Failure(Record):
    """One reason why a route was not taken.

    `seen` is None where the hook did not carry the value, and for `any` and `not`, which see none of their own;
    for `changed` it is the pair of the old value and the new one.
    Most events fail most routes, so the words are put together only when somebody reads them.
    """

    path: Path
    operator: str
    expected: object
    seen: object
    explainer: FailureExplainer
    branches: tuple["Failure", ...] = ()  # of `any`: why each of them failed

    @property
    def message(self) -> str:
        """Say it in plain words: `price gt 0: saw "" (empty)`."""
        return self.explainer.explain(self)


def quote_json(value: object) -> str:
    """Write a value for a person: texts quoted, long ones cut."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
