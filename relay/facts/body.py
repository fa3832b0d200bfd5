"""The body of a fact's receipt, as the scripts write it: JSON, its views by name, every value a text."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from relay.errors import Malformed
from relay.facts.kinds import DELIVERED, FACTS, OWN_SOURCE
from relay.model import Account, Event, Receipt, Value

CONTENT_TYPE: Final = "application/json"
_BODY: Final = msgspec.json.Decoder(dict[str, dict[str, str]])


def decode_fact(receipt: Receipt) -> tuple[Account, tuple[Event, ...]]:
    """Return the one event of a fact's receipt. Raises Malformed where a later release wrote what this cannot read."""
    try:
        views = _BODY.decode(receipt.body)
    except msgspec.MsgspecError as error:
        raise Malformed(f"body: no fact of the relay: {error}") from None
    name = views.get("fact", {}).get("kind", "")
    kind = FACTS.get(name)
    if kind is None:
        raise Malformed(f"body: no fact of the relay is called {name!r}")
    data: dict[str, Value] = {name: {**fields} for name, fields in views.items()}
    return Account(), (
        Event(
            id=f"{receipt.id}.0",
            receipt_id=receipt.id,
            index=0,
            source=OWN_SOURCE,
            name=name,
            entity=kind.entity,
            action=kind.action,
            entity_id=_entity_id(kind.entity, views),
            account=Account(),
            data=data,
            received_at=receipt.received_at,
        ),
    )


def delivery_of_fact(receipt: Receipt) -> str:
    """Return the id of the delivery that a fact is about; "" where it is about none, or cannot be read."""
    try:
        return _BODY.decode(receipt.body).get("delivery", {}).get("id", "")
    except msgspec.MsgspecError:
        return ""


def _entity_id(entity: str, views: Mapping[str, Mapping[str, str]]) -> str:
    if entity == "delivery":
        return views.get("delivery", {}).get("id", "")
    return views.get(entity, {}).get("name", "") or views.get("problem", {}).get("subject", "")


def encode_fact(name: str, views: Mapping[str, Mapping[str, Any]], now: int) -> bytes:
    """Return a body as the scripts write it, of one transition. `now`: epoch milliseconds."""
    own = {"kind": name, "count": "1", "since": str(now), "at": str(now), "each": "0"}
    given = {view: {key: _text(value) for key, value in fields.items()} for view, fields in views.items()}
    return msgspec.json.encode({**given, "fact": {**own, **given.get("fact", {})}})


def _text(value: object) -> str:
    return "" if value is None else str(value)


def is_each(event: Event) -> bool:
    """Return whether a fact is for the routes that ask for each: the others are told of what is alike together."""
    fact = event.data.get("fact")
    return isinstance(fact, dict) and fact.get("each") == "1"


def sink_of_fact(event: Event) -> str:
    """Return the sink that a fact is about; "" where it is about none."""
    if event.name == DELIVERED:  # a chain may go on at the same sink
        return ""
    for view, field in (("sink", "name"), ("problem", "subject")):
        fields = event.data.get(view)
        if event.entity in ("delivery", "sink") and isinstance(fields, dict) and isinstance(fields.get(field), str):
            return str(fields[field])
    return ""
