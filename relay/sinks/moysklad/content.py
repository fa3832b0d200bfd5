"""An invoice made from a route's keys, in MoySklad's format. Pure; a wrong value is rejected with its place."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from relay.errors import RejectDelivery
from relay.model import Json
from relay.sinks.moysklad.people import canonical_phone

_GOODS: Final = ("product", "service", "variant", "bundle")
_NUMBERS: Final = ("quantity", "price", "vat", "discount")
_LOOKUP_KEYS: Final = ("external_code", "inn", "phone", "email")
_COUNTERPARTY: Final = ("name", *_LOOKUP_KEYS, "company_type")
# One person's deliveries look for the same, whatever spelling each has.
_SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = {"phone": canonical_phone, "email": str.lower}
_OPTIONAL: Final = {"number": "name", "description": "description", "moment": "moment"}


def invoice(params: Mapping[str, object], url: str, organization: str) -> Mapping[str, object]:
    """Return the HTTP sink's keys for an invoice. `url` is MoySklad's, a part of every reference to an entity."""
    code = _filter_value("external_code", _text("external_code", params.get("external_code")))
    body = {
        **{theirs: str(value) for ours, theirs in _OPTIONAL.items() if (value := params.get(ours))},
        "externalCode": code,
        "syncId": "<key>",
        "organization": {"meta": _meta(url, "organization", organization)},
        "agent": {"meta": "<agent>"},
        "positions": [_position(url, f"positions.{at}", position) for at, position in enumerate(_positions(params))],
    }
    return {
        "path": "/entity/invoiceout",
        "body": body,
        "lookup": {"external_code": code},
        "needs": {"agent": _counterparty(params.get("counterparty"))},
    }


def _positions(params: Mapping[str, object]) -> Sequence[object]:
    positions = params.get("positions")
    if not isinstance(positions, (list, tuple)) or not positions:
        raise RejectDelivery("positions: takes a list with at least one position")
    return positions


def _position(url: str, place: str, position: object) -> Mapping[str, Json]:
    keys = _mapping(place, position, (*_GOODS, *_NUMBERS))
    kinds = [kind for kind in _GOODS if keys.get(kind)]
    if len(kinds) != 1:
        raise RejectDelivery(f"{place}: takes exactly one of {', '.join(_GOODS)}")
    kind = kinds[0]
    return {
        "quantity": _number(f"{place}.quantity", keys.get("quantity", 1)),
        "price": _kopecks(f"{place}.price", keys.get("price")),
        **{key: _number(f"{place}.{key}", keys[key]) for key in ("vat", "discount") if key in keys},
        "assortment": {"meta": _meta(url, kind, _uuid(f"{place}.{kind}", keys[kind]))},
    }


def _counterparty(value: object) -> Mapping[str, Json]:
    texts = {
        key: str(text).strip()
        for key, text in _mapping("counterparty", value, _COUNTERPARTY).items()
        if text is not None
    }
    _text("counterparty.name", texts.get("name"))
    lookup_keys = [key for key in _LOOKUP_KEYS if texts.get(key)]
    if not lookup_keys:
        raise RejectDelivery(f"counterparty: has none of {', '.join(_LOOKUP_KEYS)} to look it up by")
    for key in lookup_keys:
        _filter_value(f"counterparty.{key}", texts[key])
    return {**texts, **{key: unify(texts[key]) for key, unify in _SPELLINGS.items() if key in texts}}


def _mapping(place: str, value: object, keys: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise RejectDelivery(f"{place}: takes a mapping with {', '.join(keys)}")
    if unknown := sorted(str(key) for key in value.keys() - set(keys)):
        raise RejectDelivery(f"{place}: {', '.join(unknown)} is unknown, it takes {', '.join(keys)}")
    return value


def _meta(url: str, kind: str, id: str) -> Mapping[str, Json]:
    return {"href": f"{url.rstrip('/')}/entity/{kind}/{id}", "type": kind, "mediaType": "application/json"}


def _text(place: str, value: object) -> str:
    text = "" if value is None else str(value).strip()
    if not text:
        raise RejectDelivery(f"{place}: has no value")
    return text


def _filter_value(place: str, text: str) -> str:
    """Return a value for a filter. There a ; would begin the next condition."""
    if ";" in text or "\\" in text:
        raise RejectDelivery(f"{place}: has a ; or \\ in it, so it cannot be looked up")
    return text


def _uuid(place: str, value: object) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise RejectDelivery(f"{place}: {value!r:.60} is not an id in MoySklad: copy the UUID from its page") from None


def _kopecks(place: str, value: object) -> int:
    number = _decimal(place, value)
    if number != int(number) or number < 0:
        raise RejectDelivery(f"{place}: {value} is no whole number of kopecks: use | minor")
    return int(number)


def _number(place: str, value: object) -> Json:
    number = _decimal(place, value)
    return int(number) if number == int(number) else float(number)


def _decimal(place: str, value: object) -> Decimal:
    try:
        number = Decimal("NaN" if isinstance(value, bool) else str(value))
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite():
        raise RejectDelivery(f"{place}: {value!r:.60} is no number")
    return number
