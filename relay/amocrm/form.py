"""The form encoding of hooks: bracketed, percent-encoded pairs <-> nested values, as PHP's parse_str reads them."""

from collections.abc import Iterator, Mapping
from itertools import count
from urllib.parse import quote_plus

from relay.amocrm.escapes import (
    describe_bad_byte,
    escape_raw_bytes,
    unescape,
    unescape_replacing,
    unescape_values,
)
from relay.amocrm.layout import describe_field, layout_of, split_name
from relay.amocrm.limits import DEFAULT_LIMITS, BodyLimits, check_size, describe_left_out
from relay.amocrm.remarks import AddRemark, refuse
from relay.errors import Malformed
from relay.model import Value


def decode_form(body: bytes, limits: BodyLimits = DEFAULT_LIMITS, add_remark: AddRemark = refuse) -> dict[str, Value]:
    """Decode a form body into nested values: every scalar a string, keys as sent, in the order of the body.

    A map whose keys are 0, 1, 2… in this order becomes a list; any other, sparse or huge, stays a map. Under one key
    the nested value wins over a scalar, in either order; of two scalars the last. `[]` appends. A `%` that starts no
    escape is kept, and so are unusual characters in a name, where PHP would put `_`. What editors and copying add is
    dropped: line ends after the last field; a byte order mark, blanks, `?` and the rest of an `&amp;` before a name.

    What exceeds a limit, is cut in the middle of a key, has no name or brackets that do not pair up is left out, and
    U+FFFD stands for bytes that are not UTF-8: each with a remark. By default a remark is refused. Raises Malformed.
    """
    keys: list[str] = []
    values: list[str] = []
    for field in _split_body(body, limits, add_remark):
        key, equals, value = field.partition("=")
        if equals or (field and _is_whole(len(keys), key, limits, add_remark)):
            keys.append(key)
            values.append(value)
    layout = layout_of(tuple(keys), limits)
    for remark in layout.remarks:
        add_remark(remark)
    try:
        texts = unescape_values(values)
    except UnicodeDecodeError:
        texts = [
            _unescape(position, *field, add_remark) for position, field in enumerate(zip(keys, values, strict=True))
        ]
    return layout.fill(texts)


def _split_body(body: bytes, limits: BodyLimits, add_remark: AddRemark) -> list[str]:
    check_size(body, limits)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = escape_raw_bytes(body)  # read as what is escaped: the remark names the field
    if text and "=" not in text:
        raise Malformed(f"body: {len(body)} bytes without a single '=', not a form")
    fields = text.rstrip("\r\n").replace("+", " ").split("&", limits.fields)
    if len(fields) > limits.fields and (rest := fields.pop()).strip("&"):
        add_remark(f"body: {describe_left_out(limits.fields + rest.count('&') + 1, limits.fields, 'fields')}")
    return fields


def _is_whole(position: int, key: str, limits: BodyLimits, add_remark: AddRemark) -> bool:
    """Return whether a key without a `=` is one, to which PHP gives an empty value; else it was cut."""
    try:
        if len(key) <= limits.key_length:
            split_name(unescape_replacing(key))
    except Malformed:
        add_remark(f"{describe_field(position, key)}: no '=' after it, the body was cut in the middle of a key")
        return False
    add_remark(f"{describe_field(position, key)}: no '=' after it, its value is read as empty")
    return True


def _unescape(position: int, key: str, value: str, add_remark: AddRemark) -> str:
    try:
        return unescape(value)
    except UnicodeDecodeError as error:
        add_remark(f"{describe_field(position, key)}: {describe_bad_byte(error)}")
        return unescape_replacing(value)


def encode_form(values: Mapping[str, Value]) -> bytes:
    """Encode nested values as amoCRM sends them: brackets percent-encoded, a space as `+`, UTF-8.

    Names must be such as `decode_form` returns: not empty, no brackets. It returns the same values, except for empty
    lists and maps, which a form cannot carry.
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
