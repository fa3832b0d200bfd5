"""Find the time of the change in a raw body: by it the ingress recognises duplicates."""

from collections.abc import Callable, Mapping
from typing import Final

from relay.amocrm.body_format import BodyFormat, body_format
from relay.amocrm.limits import DEFAULT_LIMITS

CHANGE_TIME_FIELDS: Final = ("last_modified", "updated_at", "timestamp_x")
"""The fields that have the time of the change, in unix seconds."""

_NAMES = [name.encode() for name in CHANGE_TIME_FIELDS]


def carries_change_time(body: bytes) -> bool:
    """Return whether a raw body has a field with the time of the change, without decoding the body.

    The field's name must be a key: in a value it does not count.
    """
    is_key = _IS_KEY[body_format(body)]
    for name in _NAMES:
        at = body.find(name)
        while at >= 0:
            end = at + len(name)
            if is_key(body, at, end):
                return True
            at = body.find(name, end)
    return False


def _is_json_key(body: bytes, at: int, end: int) -> bool:
    if body.endswith(b"[", 0, at) and body.startswith(b"]", end):
        end += 1  # of a flat key: "leads[update][0][updated_at]"
    elif not body.endswith(b'"', 0, at):
        return False
    return body.startswith(b'"', end) and body[end + 1 : end + 9].lstrip()[:1] == b":"


def _is_part_name(body: bytes, at: int, end: int) -> bool:
    if not (body.endswith(b"[", 0, at) and body.startswith(b"]", end)):
        return False
    line = body[body.rfind(b"\n", max(0, at - DEFAULT_LIMITS.key_length), at) + 1 : at]
    return line.lower().startswith(b"content-disposition:")


def _is_form_key(body: bytes, at: int, end: int) -> bool:
    is_closed = body.startswith((b"%5D=", b"%5d=", b"]="), end) and body.endswith((b"%5B", b"%5b", b"["), 0, at)
    if not is_closed:
        return False
    before = body.rfind(b"&", max(0, at - DEFAULT_LIMITS.key_length), at)
    starts_here = before >= 0 or at <= DEFAULT_LIMITS.key_length
    return starts_here and b"=" not in body[before + 1 : at]


_IS_KEY: Final[Mapping[BodyFormat, Callable[[bytes, int, int], bool]]] = {
    "form": _is_form_key,
    "json": _is_json_key,
    "multipart": _is_part_name,
}
