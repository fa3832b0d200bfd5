"""Why an event does not match a route; and the protocol of the views that conditions read."""

import json
from typing import Protocol

from relay.errors import YamlPath
from relay.model import Record

_MAX_QUOTED = 80  # characters


class SupportsGet(Protocol):
    """The custom fields of a view, by name, code or id."""

    def get(self, key: str, /) -> object:
        """Return the value, or None if the hook does not carry the field."""


class SupportsFields(Protocol):
    """A view that a condition reads: its values are texts or lists of texts."""

    def get(self, field: str, /) -> object:
        """Return the value, or None if the hook does not carry the field."""

    @property
    def custom(self) -> SupportsGet:
        """Return the custom fields."""


class FailureExplainer(Protocol):
    """A part of a condition that explains its own failures."""

    def explain(self, failure: "Failure", /) -> str:
        """Return the failure in words."""


class Failure(Record):
    """The first reason why an event does not match a route.

    `seen` is None if the hook does not carry the value, and for `any` and `not`, which have no value of their own; for
    `changed` it is the pair of the old and the new value. Most events match few routes, so the message is composed
    only when somebody reads it.
    """

    path: YamlPath
    operator: str
    expected: object
    seen: object
    explainer: FailureExplainer
    branches: tuple["Failure", ...] = ()  # of `any`: the failure of each

    @property
    def message(self) -> str:
        """Return the failure in words: `price gt 0: saw "" (empty)`."""
        return self.explainer.explain(self)


def quote_json(value: object) -> str:
    """Return a value as JSON for a message, cut if it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"
