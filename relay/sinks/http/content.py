"""The content of an HTTP delivery: a line of JSON with method, path and headers, then the body as it is sent. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

import msgspec

from relay.errors import RejectDelivery
from relay.model import Record
from relay.sinks.http.auth import check_header_name, check_header_value
from relay.sinks.urls import encode_pairs, safe_path

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Encoding: TypeAlias = Literal["json", "form", "text", "none"]
ScalarValue: TypeAlias = str | int | float | bool | None

MAX_BODY = 1024 * 1024


class ContentHead(Record, omit_defaults=True):
    """The first line of a stored content; the body follows. Where a field is empty, the sink's setting applies."""

    method: str = ""
    path: str = ""  # quoted, begins with /
    query: str = ""  # encoded
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    encoding: Encoding = "json"
    lookup: dict[str, ScalarValue] = msgspec.field(
        default_factory=dict
    )  # values for the references of the sink's look-up
    needs: dict[str, dict[str, ScalarValue]] = msgspec.field(
        default_factory=dict
    )  # values for those of each of its needs


class _Values(Record):
    """Texts and numbers by name, for references."""

    lookup: dict[str, ScalarValue] = msgspec.field(default_factory=dict)
    needs: dict[str, dict[str, ScalarValue]] = msgspec.field(default_factory=dict)


_NO_VALUES = _Values()
_decode_head = msgspec.json.Decoder(ContentHead).decode


def make_content(params: Mapping[str, object]) -> tuple[ContentHead, bytes]:
    """Make head and body from a route's rendered keys. Raise RejectDelivery with the place of a wrong value."""
    encoding, body = _body(params)
    if len(body) > MAX_BODY:
        raise RejectDelivery(f"body: {len(body)} bytes, and at most {MAX_BODY} are sent")
    values = _values(params)
    head = ContentHead(
        method=_method(params.get("method")),
        path=safe_path(str(params.get("path") or "")),
        query=encode_pairs("query", _mapping("query", params)),
        headers=dict([_header(*header) for header in _mapping("headers", params).items()]),
        encoding=encoding,
        lookup=values.lookup,
        needs=values.needs,
    )
    return head, body


def join_content(head: ContentHead, body: bytes) -> bytes:
    """Return the content that is stored."""
    return msgspec.json.encode(head) + b"\n" + body


def split_content(content: bytes) -> tuple[ContentHead, bytes]:
    """Return the head and the body of a stored content."""
    line, _, body = content.partition(b"\n")
    return _head_of(line), body


@lru_cache(maxsize=256)
def _head_of(line: bytes) -> ContentHead:
    """Decode a head: most routes have one and the same for all their deliveries, and an attempt asks for it thrice."""
    return _decode_head(line)


def _body(params: Mapping[str, object]) -> tuple[Encoding, bytes]:
    """Encode the body, as every attempt sends it: JSON, a form, or a text as it is (XML, say)."""
    if "form" in params:
        return "form", encode_pairs("form", _mapping("form", params)).encode()
    body = params.get("body")
    if body is None:
        return "none", b""
    if isinstance(body, str):
        return "text", body.encode()
    return "json", msgspec.json.encode(body)


def _values(params: Mapping[str, object]) -> _Values:
    values = {key: _mapping(key, params) for key in ("lookup", "needs") if key in params}
    if not values:
        return _NO_VALUES
    try:
        # Encoded as JSON first, which makes a decimal the text that is sent.
        return msgspec.json.decode(msgspec.json.encode(values), type=_Values)
    except msgspec.ValidationError as error:
        _, _, place = str(error).rpartition("$.")
        raise RejectDelivery(f"{place.rstrip('`')}: takes names with a text or a number each") from None


def _mapping(key: str, params: Mapping[str, object]) -> Mapping[str, object]:
    value = params.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RejectDelivery(f"{key}: takes a mapping of names to values, not {value!r:.60}")
    return value


def _method(value: object) -> str:
    method = str(value or "").upper()
    if method and method not in get_args(Method):
        raise RejectDelivery(f"method: {value!r} is not one of {', '.join(get_args(Method))}")
    return method


def _header(name: str, value: object) -> tuple[str, str]:
    try:
        return check_header_name(name), check_header_value(str(value))
    except ValueError as error:
        raise RejectDelivery(f"headers.{name}: {error}") from None
