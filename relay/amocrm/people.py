"""What a look-up in the account finds of a lead, shaped as hooks are."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from relay.model import Record, Value


class People(Record):
    """The contacts, company and responsible user of one lead. What was not asked for or is not there is empty."""

    contact: Mapping[str, Value] | None = None  # the main one
    contacts: Sequence[Mapping[str, Value]] = ()  # the main one first
    company: Mapping[str, Value] | None = None
    responsible: Mapping[str, Value] | None = None


FETCHABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"contacts": ("contact", "contacts"), "company": ("company",), "responsible": ("responsible",)}
)
"""What a route may fetch of a lead -> the views that it adds. `contacts` is a list, the main one first."""
