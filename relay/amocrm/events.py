"""Nested values -> events, under the names amoCRM gives them; and the catalogue of those names."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from relay.amocrm.form import decode_form, encode_form, is_index
from relay.amocrm.json_body import decode_json
from relay.amocrm.limits import DEFAULT_LIMITS
from relay.errors import Malformed
from relay.model import Account, Event, Receipt, Record, Value

MAX_EVENTS = 1_000  # of one receipt; the store takes them in chunks

_Map = dict[str, Value]


class EventKind(Record):
    """What an event's name says: which entity, and what happened to it."""

    entity: str
    action: str


def _event_kinds(action: str, entities: str) -> dict[str, EventKind]:
    return {f"{action}_{entity}": EventKind(entity=entity, action=action) for entity in entities.split()}


_OFFICIAL = {
    **_event_kinds("responsible", "lead contact company customer task"),
    **_event_kinds("restore", "lead contact company"),
    **_event_kinds("add", "lead contact company customer task"),
    **_event_kinds("update", "lead contact company customer task"),
    **_event_kinds("delete", "lead contact company customer task"),
    **_event_kinds("status", "lead"),
    **_event_kinds("note", "lead contact company customer"),
    **_event_kinds("add", "talk message outgoing_message chat_template_review"),
    **_event_kinds("update", "talk"),
}
_UNDOCUMENTED = {
    **_event_kinds("add", "unsorted catalog"),
    **_event_kinds("update", "unsorted catalog"),
    **_event_kinds("delete", "unsorted catalog"),
    **_event_kinds("call_in", "lead"),  # this and the next three: Digital Pipeline
    **_event_kinds("chat", "lead"),
    **_event_kinds("site_visit", "lead"),
    **_event_kinds("mail_in", "lead"),
}

EVENTS: Mapping[str, EventKind] = MappingProxyType(_OFFICIAL | _UNDOCUMENTED)
"""Every name an event is known to arrive under. An unknown entity or action is an event all the same."""

SUBSCRIBABLE: tuple[str, ...] = tuple(_OFFICIAL)
"""The names amoCRM's subscription API knows: the 28 of the original documentation, and five for chats."""

_SINGULAR = {"leads": "lead", "contacts": "contact", "customers": "customer", "catalogs": "catalog"}
_BODY_KEYS = {singular: key for key, singular in _SINGULAR.items()} | {"company": "contacts"}
_ID_FIELDS = {"unsorted": "uid", "talk": "talk_id"}  # the others have an id
_REASSIGNED_BY_UPDATE = frozenset({"contact", "company", "customer", "task"})  # a lead has its own responsible event


def decode_receipt(receipt: Receipt) -> tuple[Account, tuple[Event, ...]]:
    """Return the account a receipt speaks for and its events, in the order of the body.

    An event's data is the fact as it was sent, freed of indexes and needless nesting; a company is told from a contact
    by its `type`. Raises Malformed, and nothing else on any bytes: also where there is no event, or more than 1,000.
    """
    body = _decode_body(receipt)
    account = _read_account(body.get("account"))
    facts = list(_read_facts(body))
    if not facts:
        named = ", ".join(map(repr, body))[:200] or "nothing"
        raise Malformed(f"body: no event in it, only {named}; entity[action][0][field] is expected")
    if len(facts) > MAX_EVENTS:
        raise Malformed(f"body: {len(facts):,} events, at most {MAX_EVENTS:,}")
    return account, tuple(_event(receipt, account, index, *fact) for index, fact in enumerate(facts))


def _event(receipt: Receipt, account: Account, index: int, entity: str, action: str, data: _Map) -> Event:
    return Event(
        id=f"{receipt.id}.{index}",
        receipt_id=receipt.id,
        index=index,
        source=receipt.source,
        name=f"{action}_{entity}",
        entity=entity,
        action=action,
        entity_id=_entity_id(entity, action, data),
        account=account,
        data=data,
        received_at=receipt.received_at,
    )


def routable_names(event: Event) -> frozenset[str]:
    """Return the names an event may be routed under: its own, and responsible_… where an update handed it over.

    amoCRM sends a new responsible user of a contact, company, customer or task as an update with
    `old_responsible_user_id`, which may also equal the current one.
    """
    if event.action != "update" or event.entity not in _REASSIGNED_BY_UPDATE:
        return frozenset({event.name})
    old = event.data.get("old_responsible_user_id")
    if not old or old == event.data.get("responsible_user_id"):
        return frozenset({event.name})
    return frozenset({event.name, f"responsible_{event.entity}"})


def encode_event(event: Event) -> bytes:
    """Write an event as amoCRM would send it alone: its account first, then the fact under index 0."""
    data: _Map = dict(event.data)
    if event.entity == "company":
        data["type"] = "company"  # its only difference from a contact
    account: _Map = {}
    if event.account.subdomain:
        account["subdomain"] = event.account.subdomain
    if event.account.id:
        account["id"] = event.account.id
    if event.account.link:
        account["_links"] = {"self": event.account.link}
    key = _BODY_KEYS.get(event.entity, event.entity)
    return encode_form({"account": account, key: {event.action: [data]}})


def _decode_body(receipt: Receipt) -> _Map:
    content_type = receipt.content_type.lower()
    if "json" in content_type:
        return decode_json(receipt.body)
    if "form" in content_type or not receipt.body.lstrip().startswith((b"{", b"[")):
        return decode_form(receipt.body)
    return decode_json(receipt.body)


def _read_account(block: "Value | None") -> Account:
    if not isinstance(block, dict):
        return Account()
    links = block.get("_links")
    link = _text(links.get("self")) if isinstance(links, dict) else ""
    return Account(id=_text(block.get("id")), subdomain=_text(block.get("subdomain")), link=link)


def _read_facts(body: _Map) -> Iterator[tuple[str, str, _Map]]:
    """Entity, action and data of each fact: entity[action][i][field], and the three other ways to say it."""
    for key, actions in body.items():
        if key == "account" or isinstance(actions, str):
            continue
        if isinstance(actions, list) or any(map(is_index, actions)):
            raise Malformed(f"{key!r}: an index where its action is expected, as in {key}[update][0][id]")
        entity = _SINGULAR.get(key, key)
        for action, items in actions.items():
            for data in _flatten_facts(items):
                company = entity == "contact" and data.get("type") == "company"
                yield "company" if company else entity, action, data


def _flatten_facts(value: Value) -> Iterator[_Map]:
    """Free facts of their indexes, however many levels of them there are. A scalar is the id of one."""
    if isinstance(value, str):
        yield {"id": value}
    elif isinstance(value, list):
        for item in value:
            yield from _flatten_facts(item)
    elif all(map(is_index, value)):
        for item in value.values():
            yield from _flatten_facts(item)
    else:
        yield value


def _entity_id(entity: str, action: str, data: _Map) -> str:
    if action == "note":
        return _text(note_of(data).get("element_id"))
    return _text(data.get(_ID_FIELDS.get(entity, "id")))


def note_of(data: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return a note's own fields, which amoCRM nests under `note` beside the `type` of what it was written on."""
    note = data.get("note")
    return note if isinstance(note, dict) else data


def _text(value: "Value | None") -> str:
    return value if isinstance(value, str) else ""


_CHANGE_TIMES = (b"last_modified", b"updated_at", b"timestamp_x")


def carries_change_time(body: bytes) -> bool:
    """Return whether a raw body has a field that says when its fact changed, without decoding it.

    The field's name must stand as a key: what a value says does not count.
    """
    standing = _is_json_key if body[:16].lstrip().startswith(b"{") else _is_form_key
    return any(_has_key(body, name, standing) for name in _CHANGE_TIMES)


def _has_key(body: bytes, name: bytes, standing: Callable[[bytes, int, int], bool]) -> bool:
    at = body.find(name)
    while at >= 0:
        end = at + len(name)
        if standing(body, at, end):
            return True
        at = body.find(name, end)
    return False


def _is_json_key(body: bytes, at: int, end: int) -> bool:
    return body.endswith(b'"', 0, at) and body.startswith(b'"', end) and body[end + 1 : end + 9].lstrip()[:1] == b":"


def _is_form_key(body: bytes, at: int, end: int) -> bool:
    closed = body.startswith((b"%5D=", b"%5d=", b"]="), end) and body.endswith((b"%5B", b"%5b", b"["), 0, at)
    if not closed:
        return False
    before = body.rfind(b"&", max(0, at - DEFAULT_LIMITS.key_length), at)
    began = before >= 0 or at <= DEFAULT_LIMITS.key_length
    return began and b"=" not in body[before + 1 : at]
