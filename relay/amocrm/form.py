"""The form encoding of hooks: bracketed, percent-encoded pairs <-> nested values, read as PHP's parse_str reads them.

A body is decoded whole or not at all: one beyond a limit, cut in the middle of a key, with brackets that do not pair up
or with bytes that are not UTF-8 raises Malformed, which names the field and never shows a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from urllib.parse import quote_plus

from relay.amocrm.escapes import describe_bad_byte, unescape, unescape_value
from relay.amocrm.layout import describe_field, layout_of
from relay.amocrm.limits import DEFAULT_LIMITS, BodyLimits, check_size, describe_excess
from relay.errors import Malformed
from relay.model import Value


def decode_form(body: bytes, limits: BodyLimits = DEFAULT_LIMITS) -> dict[str, Value]:
    """Decode a form body into nested values: every scalar a string, keys as sent, in the order of the body.

    A map whose keys are 0, 1, 2… in this order becomes a list; any other, sparse or huge, stays a map. Under one key
    the nested value wins over a scalar, in either order; of two scalars the last. `[]` appends. A `%` that starts no
    escape is kept, and so are unusual characters in a name, where PHP would put `_`. Line ends after the last field,
    which editors add, are dropped.

    Raises Malformed.
    """
    keys: list[str] = []
    values: list[str] = []
    for field in _fields(body, limits):
        key, equals, value = field.partition("=")
        if equals:
            keys.append(key)
            values.append(value)
        elif field:
            raise Malformed(
                f"{describe_field(len(keys), key)}: no '=' after it, the body was cut in the middle of a key"
            )
    layout = layout_of(tuple(keys), limits)
    try:
        texts = [value if "%" not in value else unescape_value(value) for value in values]
    except UnicodeDecodeError:
        raise _not_utf8(keys, values) from None
    return layout.fill(texts)


def _fields(body: bytes, limits: BodyLimits) -> list[str]:
    check_size(body, limits)
    # A body of fewer bytes cannot have too many fields: most need no counting.
    if len(body) >= limits.fields and (fields := body.count(b"&") + 1) > limits.fields:
        raise Malformed(f"body: {describe_excess(fields, limits.fields, 'fields')}")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"body: not UTF-8 at byte {error.start}, {describe_bad_byte(error)}") from error
    if text and "=" not in text:
        raise Malformed(f"body: {len(body)} bytes without a single '=', not a form")
    return text.rstrip("\r\n").replace("+", " ").split("&")


def _not_utf8(keys: Sequence[str], values: Sequence[str]) -> Malformed:
    """Return the error for the first value that is not UTF-8."""
    for position, value in enumerate(values):
        try:
            unescape(value)
        except UnicodeDecodeError as error:
            return Malformed(f"{describe_field(position, keys[position])}: not UTF-8, {describe_bad_byte(error)}")
    raise AssertionError("every value is UTF-8")


def encode_form(values: Mapping[str, Value]) -> bytes:
    """Encode nested values as amoCRM sends them: brackets percent-encoded, a space as `+`, UTF-8.

    Names must not be empty or have brackets, which no name from `decode_form` does. `decode_form` returns the same
    values, except for empty lists and maps, which a form cannot carry.
    """
    return "&".join(pair for key, value in values.items() for pair in _pairs(_quote(key), value)).encode("ascii")


def _pairs(key: str, value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{key}={_quote(value)}"
        return
    items = value.items() if isinstance(value, dict) else zip(map(str, count()), value, strict=False)
    for name, item in items:
        yield from _pairs(f"{key}%5B{_quote(name)}%5D", item)


def _quote(text: str) -> str:
    return quote_plus(text).replace("~", "%7E")  # PHP encodes the tilde, Python does not
