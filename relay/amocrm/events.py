"""Events of a receipt: decode them from its body, and encode one as a body of its own."""

from collections.abc import Iterator, Mapping

from relay.amocrm.form import decode_form, encode_form
from relay.amocrm.json_body import decode_json
from relay.amocrm.layout import is_index
from relay.errors import Malformed
from relay.model import Account, Event, Receipt, Value

MAX_EVENTS = 1_000  # of one receipt; the store takes them in chunks

_Map = dict[str, Value]

_ENTITIES = {"leads": "lead", "contacts": "contact", "customers": "customer", "catalogs": "catalog"}  # of a body's keys
_BODY_KEYS = {entity: key for key, entity in _ENTITIES.items()} | {"company": "contacts"}
_ID_FIELDS = {"unsorted": "uid", "talk": "talk_id"}  # the others have an id


def decode_receipt(receipt: Receipt) -> tuple[Account, tuple[Event, ...]]:
    """Return the account that a receipt names and its events, in the order of the body.

    An event's data is what was sent of it, without indexes and needless nesting; a contact of the `type` company is a
    company. Raises Malformed, and nothing else on any bytes: also where there is no event, or more than 1,000.
    """
    body = _decode_body(receipt)
    account = _read_account(body.get("account"))
    items = list(_read_items(body))
    if not items:
        keys = ", ".join(map(repr, body))[:200] or "nothing"
        raise Malformed(f"body: no event in it, only {keys}; entity[action][0][field] is expected")
    if len(items) > MAX_EVENTS:
        raise Malformed(f"body: {len(items):,} events, at most {MAX_EVENTS:,}")
    return account, tuple(_event(receipt, account, index, *item) for index, item in enumerate(items))


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


def _read_items(body: _Map) -> Iterator[tuple[str, str, _Map]]:
    """Yield entity, action and data of each item: entity[action][i][field], and three other ways to write it."""
    for key, actions in body.items():
        if key == "account" or isinstance(actions, str):
            continue
        if isinstance(actions, list) or any(map(is_index, actions)):
            raise Malformed(f"{key!r}: an index where its action is expected, as in {key}[update][0][id]")
        entity = _ENTITIES.get(key, key)
        for action, nested in actions.items():
            for data in _flatten(nested):
                is_company = entity == "contact" and data.get("type") == "company"
                yield "company" if is_company else entity, action, data


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


def _entity_id(entity: str, action: str, data: _Map) -> str:
    if action == "note":
        return _text(note_of(data).get("element_id"))
    return _text(data.get(_ID_FIELDS.get(entity, "id")))


def note_of(data: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the fields of a note: amoCRM nests them under `note`, beside the `type` of the note's entity."""
    note = data.get("note")
    return note if isinstance(note, dict) else data


def _text(value: "Value | None") -> str:
    return value if isinstance(value, str) else ""


def encode_event(event: Event) -> bytes:
    """Encode an event as amoCRM would send it alone: its account first, then its data under index 0."""
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
