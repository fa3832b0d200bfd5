"""An invoice as a route gives it, in MoySklad's words. Pure; whatever cannot be one is rejected with its place."""

import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from relay.errors import RejectDelivery
from relay.model import Json

_GOODS: Final = ("product", "service", "variant", "bundle")
_NUMBERS: Final = ("quantity", "price", "vat", "discount")
_FOUND_BY: Final = ("external_code", "inn", "phone", "email")
_COUNTERPARTY: Final = ("name", *_FOUND_BY, "company_type")
_OPTIONAL: Final = {"number": "name", "description": "description", "moment": "moment"}


def invoice(params: Mapping[str, object], url: str, organization: str) -> Mapping[str, object]:
    """Make the HTTP sink's keys of an invoice's. `url`: MoySklad's own, by which it names everything."""
    code = _condition("external_code", _text("external_code", params.get("external_code")))
    body = {
        **{theirs: str(value) for ours, theirs in _OPTIONAL.items() if (value := params.get(ours))},
        "externalCode": code,
        "syncId": "<key>",
        "organization": {"meta": _meta(url, "organization", organization)},
        "agent": {"meta": "<agent>"},
        "positions": [_position(url, f"positions.{at}", one) for at, one in enumerate(_positions(params))],
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
    given = _mapping(place, position, (*_GOODS, *_NUMBERS))
    kinds = [kind for kind in _GOODS if given.get(kind)]
    if len(kinds) != 1:
        raise RejectDelivery(f"{place}: takes exactly one of {', '.join(_GOODS)}")
    kind = kinds[0]
    return {
        "quantity": _number(f"{place}.quantity", given.get("quantity", 1)),
        "price": _kopecks(f"{place}.price", given.get("price")),
        **{key: _number(f"{place}.{key}", given[key]) for key in ("vat", "discount") if key in given},
        "assortment": {"meta": _meta(url, kind, _uuid(f"{place}.{kind}", given[kind]))},
    }


def _counterparty(given: object) -> Mapping[str, Json]:
    texts = {
        key: str(value).strip()
        for key, value in _mapping("counterparty", given, _COUNTERPARTY).items()
        if value is not None
    }
    _text("counterparty.name", texts.get("name"))
    looked_by = [key for key in _FOUND_BY if texts.get(key)]
    if not looked_by:
        raise RejectDelivery(f"counterparty: has none of {', '.join(_FOUND_BY)} to look it up by")
    for key in looked_by:
        _condition(f"counterparty.{key}", texts[key])
    return texts


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


def _condition(place: str, text: str) -> str:
    """Check a value that goes into a filter, where ; begins the next condition."""
    if ";" in text or "\\" in text:
        raise RejectDelivery(f"{place}: has a ; or \\, by which it cannot be looked up")
    return text


def _uuid(place: str, value: object) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise RejectDelivery(f"{place}: {value!r:.60} is no id of MoySklad's: copy the UUID from its page") from None


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
