"""Find the facts in a body's values: the entity, the action and the data of each."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from relay.amocrm.event_names import EVENTS
from relay.amocrm.layout import is_index
from relay.amocrm.limits import quote_key
from relay.amocrm.remarks import AddRemark
from relay.model import Value

_Map: TypeAlias = dict[str, Value]
Item: TypeAlias = tuple[str, str, _Map]
"""The entity and the action of a fact, and its data."""

PLURALS: Final = {"leads": "lead", "contacts": "contact", "customers": "customer", "catalogs": "catalog"}
"""The entities that amoCRM sends under another key than their name, by that key."""

_ACTIONS = frozenset(kind.action for kind in EVENTS.values())
ENTITY_KEYS: Final = frozenset(PLURALS) | {kind.entity for kind in EVENTS.values()}
"""The keys under which amoCRM sends entities."""

_PARTS_OF_A_REQUEST = frozenset({"body", "headers", "params", "query"})  # n8n forwards all of them
_is_word = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}").fullmatch


def unwrap(values: _Map, add_remark: AddRemark) -> _Map:
    """Return the values of the hook itself, where a forwarder has put it into others: {"body": {"leads": …}}."""
    while ENTITY_KEYS.isdisjoint(values) and "add" not in values:
        key = next(filter(lambda key: _is_wrapper(key, values[key]), values), None)
        if key is None:
            return values
        add_remark(f"{quote_key(key)}: the hook is inside of it; what stands beside it is left out")
        inner = values[key]
        assert isinstance(inner, dict)  # _is_wrapper says so
        values = inner
    return values


def _is_wrapper(key: str, value: Value) -> bool:
    if not isinstance(value, dict):
        return False
    return key == "body" or isinstance(value.get("body"), dict) or any(map(_has_action, map(value.get, ENTITY_KEYS)))


def _has_action(value: "Value | None") -> bool:
    return isinstance(value, dict) and not _ACTIONS.isdisjoint(value)


def read_items(values: _Map, add_remark: AddRemark) -> list[Item]:
    """Return the facts of entity[action][i][field], and of other ways to write it. What is none gets a remark."""
    items: list[Item] = []
    for key, actions in values.items():
        if key == "account" or actions == "":  # an empty one is no loss: `debug&leads[add][0][id]=1`
            continue
        if key == "add":
            items += _read_bare_add(actions, add_remark)
        elif isinstance(actions, str):
            add_remark(f"{quote_key(key)}: a value where an entity is expected, as in leads[update][0][id]")
        elif not (key in PLURALS or _is_word(key)) or key in _PARTS_OF_A_REQUEST:
            add_remark(f"{quote_key(key)}: it names no entity, as `leads` does in leads[update][0][id]")
        elif isinstance(actions, list):
            add_remark(f"{quote_key(key)}: an index where its action is expected, as in {key}[update][0][id]")
        else:
            items += _read_actions(key, actions, add_remark)
    return items


def _read_actions(key: str, actions: Mapping[str, Value], add_remark: AddRemark) -> Iterator[Item]:
    entity = PLURALS.get(key, key)
    for action, nested in actions.items():
        if action not in _ACTIONS and (not _is_word(action) or action in PLURALS):
            problem = "an index where its action is expected" if is_index(action) else "it names no action"
            add_remark(f"{quote_key(f'{key}[{action}]')}: {problem}, as in {key}[update][0][id]")
            continue
        for data in _flatten(nested):
            is_company = entity == "contact" and data.get("type") == "company"
            yield "company" if is_company else entity, action, data


def _read_bare_add(value: Value, add_remark: AddRemark) -> Iterator[Item]:
    """Yield what amoCRM sends as add[0][field], without an entity: incoming messages and reviews of templates."""
    for data in _flatten(value):
        if data.get("type") == "waba":
            yield "chat_template_review", "add", data
        elif "talk_id" in data:
            yield "message", "add", data
        else:
            add_remark(
                "'add': an entity is expected before it; only a message (talk_id) or a template (type=waba) has none"
            )


def _flatten(value: Value) -> Iterator[_Map]:
    """Yield items without their indexes, however many levels of them there are. A scalar is the id of one."""
    if isinstance(value, str):
        yield {"id": value}
    elif isinstance(value, list):
        for item in value:
            yield from _flatten(item)
    elif all(map(is_index, value)):
        for item in value.values():
            yield from _flatten(item)
    else:
        yield value
