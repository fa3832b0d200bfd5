"""Events of every source: amoCRM's, and the relay's own facts. Pure.

What reads receipts and routes them asks here; `relay.amocrm` and `relay.facts` know how each kind is written.
"""

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
from relay.amocrm.views import View, ViewWithOthers, event_views, main_view
from relay.errors import Malformed
from relay.facts.body import decode_fact
from relay.facts.kinds import ANSWER, ANSWER_FIELDS, DELIVERED, FACT_VIEWS, FACTS, OWN_SOURCE
from relay.facts.settings import FactSettings
from relay.facts.views import fact_views, in_language
from relay.model import Account, Event, Receipt, Value

ViewFields: TypeAlias = Mapping[str, frozenset[str]]

DecodedHooks: TypeAlias = dict[str, tuple[Event, ...]]
"""The events of hooks that facts refer to, by their receipts."""

EVENT_ENTITIES: Final[Mapping[str, str]] = MappingProxyType(
    {name: kind.entity for name, kind in EVENTS.items()} | {name: kind.entity for name, kind in FACTS.items()}
)
"""Every event that a route may name, and what it is about."""

OPEN_VIEW: Final = "entity"
"""The view that shows any field that the hook carries."""

_OF_EVERY_HOOK: Final = ("event", "account")
_DELIVERY_FIELDS: Final = FACT_VIEWS["delivery"]["delivery"]  # by these names conditions know no view


def decode_events(
    receipt: Receipt,
    add_remark: AddRemark = ignore,
    max_size: int = MAX_BODY_SIZE,
    hooks: DecodedHooks | None = None,
) -> tuple[Account, tuple[Event, ...]]:
    """Return the account that a receipt names, and its events. Raises Malformed, and nothing else on any bytes.

    `hooks`: of facts that refer to one hook, it decodes that once.
    """
    if receipt.source != OWN_SOURCE:
        return decode_receipt(receipt, add_remark, max_size)
    account, (event,) = decode_fact(receipt)
    if event.name == DELIVERED:
        event = _with_original(event, receipt, max_size, {} if hooks is None else hooks)
    return account, (event,)


def _with_original(event: Event, receipt: Receipt, max_size: int, hooks: DecodedHooks) -> Event:
    """Return the fact that a delivery arrived with the event of that. Raises Malformed where it is gone."""
    answer = event.data.get(ANSWER)
    hook = receipt.original
    if hook is None or not isinstance(answer, dict):
        raise Malformed("body: a delivery was delivered, and the hook that it was made of is gone")
    index = receipt.original_id.partition(".")[2]
    if hook.id not in hooks:
        hooks[hook.id] = decode_events(hook, max_size=max_size, hooks=hooks)[1]
    original = next((one for one in hooks[hook.id] if str(one.index) == index), None)
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


def views_of(event: Event, settings: FactSettings) -> tuple[View | ViewWithOthers, dict[str, View]]:
    """Return the view that conditions on an event read, and all of its views by name, as templates see them.

    `settings`: of a fact's texts.
    """
    if event.source != OWN_SOURCE:
        views = event_views(event)
        return views[main_view(event.name)], views
    found = fact_views(event, settings)
    own = {name: View(fields) for name, fields in found.items()}
    before = {} if event.original is None else views_of(event.original, settings)[1]
    views = {**before, **own, "event": event_views(event)["event"]}
    spoken = views
    if settings.language != "en":
        spoken = views | {name: View(fields) for name, fields in in_language(found, settings.language).items()}
    main = own[FACTS[event.name].view]
    if event.original is None:
        return main, spoken
    return ViewWithOthers(main, {name: views[name] for name in views.keys() - _DELIVERY_FIELDS}), spoken


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
