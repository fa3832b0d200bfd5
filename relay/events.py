"""Events of every source: amoCRM's, and the relay's own facts. Pure.

What reads receipts and routes them asks here; `relay.amocrm` and `relay.facts` know how each kind is written.
"""

import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from relay.amocrm.event_names import EVENTS, routable_names
from relay.amocrm.events import decode_receipt
from relay.amocrm.limits import MAX_BODY_SIZE
from relay.amocrm.remarks import AddRemark, ignore
from relay.amocrm.view_fields import VIEW_FIELDS
from relay.amocrm.views import View, event_views, main_view
from relay.errors import Malformed
from relay.facts.body import decode_fact, original_body
from relay.facts.kinds import ANSWER, ANSWER_FIELDS, DELIVERED, FACT_VIEWS, FACTS, ORIGINAL, OWN_SOURCE
from relay.facts.settings import FactSettings
from relay.facts.views import fact_views
from relay.model import Account, Event, Receipt, Value

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
    if receipt.source != OWN_SOURCE:
        return decode_receipt(receipt, add_remark, max_size)
    account, (event,) = decode_fact(receipt)
    return account, (_with_original(event, receipt, max_size) if event.name == DELIVERED else event,)


def _with_original(event: Event, receipt: Receipt, max_size: int) -> Event:
    """Return the fact that a delivery arrived with the event of that. Raises Malformed where it is gone."""
    place, answer = event.data.get(ORIGINAL), event.data.get(ANSWER)
    if not isinstance(place, dict) or not isinstance(answer, dict):
        raise Malformed("body: a delivery was delivered, and the hook that it was made of does not follow")
    told = {name: text for name, text in place.items() if isinstance(text, str)}
    body = original_body(receipt)
    hook = Receipt(
        id=told["receipt"],
        source=told["source"],
        received_at=int(told["at"]),
        body=zlib.decompress(body) if told["z"] else body,
        content_type=told["ct"],
        content_encoding=told["ce"],
    )
    _, events = decode_events(hook, max_size=max_size)
    original = next((one for one in events if one.index == int(told["index"])), None)
    if original is None:
        raise Malformed("body: the hook that a delivery was made of has its event no more")
    data = {**event.data, ANSWER: {**answer, **_answer_json(answer)}}
    return replace(event, data=data, original=original)


def _answer_json(answer: Mapping[str, Value]) -> dict[str, Value]:
    """Return what an answer says, where it is whole and JSON: every scalar as a text, as in hooks."""
    try:
        found = msgspec.json.decode(str(answer.get("text", "")))
    except msgspec.DecodeError:
        return {}
    return {"json": _texts(found)}


def _texts(value: object) -> Value:
    if isinstance(value, dict):
        return {name: _texts(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


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
    before = {} if event.original is None else views_of(event.original, settings)[1]
    views = {**before, **own, "event": event_views(event)["event"]}
    return views[FACTS[event.name].view], views


def view_named(event: str) -> str:
    """Return the name of the view that conditions on events of a name look at."""
    return FACTS[event].view if event in FACTS else main_view(event)


def fields_of_views(event: str) -> ViewFields:
    """Return the views that events of a name have, and the fields of each; none named: all are possible."""
    common = {"event": VIEW_FIELDS["event"]}
    if event in FACTS:
        answer = {ANSWER: ANSWER_FIELDS} if event == DELIVERED else {}
        return {**FACT_VIEWS[FACTS[event].view], **answer, **common}
    view = main_view(event)
    own: frozenset[str] = frozenset() if view == OPEN_VIEW else VIEW_FIELDS[view]
    return {view: own, **{name: VIEW_FIELDS[name] for name in _OF_EVERY_HOOK}}


def fields_of_main_view(event: str) -> frozenset[str]:
    """Return the fields of the view that conditions look at; of the open one those that are known."""
    return FACT_VIEWS[FACTS[event].view][FACTS[event].view] if event in FACTS else VIEW_FIELDS[main_view(event)]
