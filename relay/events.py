"""Events of every source: amoCRM's, and the relay's own facts. Pure.

What reads receipts and routes them asks here; `relay.amocrm` and `relay.facts` know how each kind is written.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from relay.amocrm.event_names import EVENTS, routable_names
from relay.amocrm.events import decode_receipt
from relay.amocrm.limits import MAX_BODY_SIZE
from relay.amocrm.remarks import AddRemark, ignore
from relay.amocrm.view_fields import VIEW_FIELDS
from relay.amocrm.views import View, event_views, main_view
from relay.facts.body import decode_fact
from relay.facts.kinds import FACT_VIEWS, FACTS, OWN_SOURCE
from relay.facts.settings import FactSettings
from relay.facts.views import fact_views
from relay.model import Account, Event, Receipt

ViewFields: TypeAlias = Mapping[str, frozenset[str]]

EVENT_ENTITIES: Final[Mapping[str, str]] = MappingProxyType(
    {name: kind.entity for name, kind in EVENTS.items()} | {name: kind.entity for name, kind in FACTS.items()}
)
"""Every event that a route may name, and what it is about."""

OPEN_VIEW: Final = "entity"
"""The view that shows any field that the hook carries."""

_OF_EVERY_HOOK: Final = ("event", "account")


def decode_events(
    receipt: Receipt, add_remark: AddRemark = ignore, max_size: int = MAX_BODY_SIZE
) -> tuple[Account, tuple[Event, ...]]:
    """Return the account that a receipt names, and its events. Raises Malformed, and nothing else on any bytes."""
    if receipt.source == OWN_SOURCE:
        return decode_fact(receipt)
    return decode_receipt(receipt, add_remark, max_size)


def names_of(event: Event) -> frozenset[str]:
    """Return the names by which routes find an event. No hook, whatever is in it, is found as a fact."""
    if event.source == OWN_SOURCE:
        return frozenset({event.name})
    return routable_names(event) - FACTS.keys()


def views_of(event: Event, settings: FactSettings) -> tuple[View, dict[str, View]]:
    """Return the view that conditions on an event read, and all of its views by name. `settings`: of a fact's texts."""
    if event.source != OWN_SOURCE:
        views = event_views(event)
        return views[main_view(event.name)], views
    own = {name: View(fields) for name, fields in fact_views(event, settings).items()}
    views = {**own, "event": event_views(event)["event"]}
    return views[FACTS[event.name].view], views


def view_named(event: str) -> str:
    """Return the name of the view that conditions on events of a name look at."""
    return FACTS[event].view if event in FACTS else main_view(event)


def fields_of_views(event: str) -> ViewFields:
    """Return the views that events of a name have, and the fields of each; none named: all are possible."""
    common = {"event": VIEW_FIELDS["event"]}
    if event in FACTS:
        return {**FACT_VIEWS[FACTS[event].view], **common}
    view = main_view(event)
    own: frozenset[str] = frozenset() if view == OPEN_VIEW else VIEW_FIELDS[view]
    return {view: own, **{name: VIEW_FIELDS[name] for name in _OF_EVERY_HOOK}}


def fields_of_main_view(event: str) -> frozenset[str]:
    """Return the fields of the view that conditions look at; of the open one those that are known."""
    return FACT_VIEWS[FACTS[event].view][FACTS[event].view] if event in FACTS else VIEW_FIELDS[main_view(event)]
