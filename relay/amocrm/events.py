"""Events of a receipt: decode them from its body, and encode one as a body of its own."""

from collections.abc import Mapping

from relay.amocrm.body import decode_body
from relay.amocrm.form import encode_form
from relay.amocrm.items import ENTITY_KEYS, PLURALS, read_items, unwrap
from relay.amocrm.limits import MAX_BODY_SIZE, describe_left_out
from relay.amocrm.remarks import AddRemark, ignore
from relay.errors import Malformed
from relay.model import Account, Event, Receipt, Value

MAX_EVENTS = 1_000  # of one receipt; the store takes them in chunks

_Map = dict[str, Value]

_BODY_KEYS = {entity: key for key, entity in PLURALS.items()} | {"company": "contacts"}
_ID_FIELDS = {"unsorted": "uid", "talk": "talk_id"}  # the others have an id


def decode_receipt(
    receipt: Receipt, add_remark: AddRemark = ignore, max_size: int = MAX_BODY_SIZE
) -> tuple[Account, tuple[Event, ...]]:
    """Return the account that a receipt names and its events, in the order of the body; of 1,001 the first 1,000.

    An event's data is what was sent of it, without indexes and needless nesting; a contact of the `type` company is a
    company. What cannot be read beside them gets a remark. Raises Malformed, and nothing else on any bytes: also where
    there is no event, or where a compressed body inflates to over `max_size` bytes.
    """
    values = decode_body(receipt, add_remark, max_size)
    if ENTITY_KEYS.isdisjoint(values):
        values = unwrap(values, add_remark)
    account = _read_account(values.get("account"))
    items = read_items(values, add_remark)
    if len(items) > MAX_EVENTS:
        add_remark(f"body: {describe_left_out(len(items), MAX_EVENTS, 'events')}")
        del items[MAX_EVENTS:]
    if not items:
        keys = ", ".join(map(repr, values))[:200] or "nothing"
        raise Malformed(f"body: no event in it, only {keys}; entity[action][0][field] is expected")
    return account, tuple(_event(receipt, account, index, *item) for index, item in enumerate(items))


def _read_account(block: "Value | None") -> Account:
    if not isinstance(block, dict):
        return Account()
    links = block.get("_links")
    link = _text(links.get("self")) if isinstance(links, dict) else ""
    return Account(id=_text(block.get("id")), subdomain=_text(block.get("subdomain")), link=link)


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
