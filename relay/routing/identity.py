"""Ids that follow from what a delivery is, so that routing a receipt twice creates no second delivery."""

from hashlib import blake2b
from typing import Final

_SHADOW: Final = b"\x5b\xad\xb0\x1d"
"""What the ids of shadowed deliveries end with, and no other: for good, whatever becomes of their routes."""


def delivery_id(event_id: str, route: str, sink: str, *, shadow: bool = False) -> str:
    """Return the id of the delivery of one event by one route to one sink: a version 8 UUID.

    Of a `shadow` route it is another one than the route will have when it delivers.
    """
    return _identity(b"relay.delivery", event_id, route, sink, shadow=shadow)


def is_shadow_id(id: str) -> bool:
    """Tell whether an id is that of a shadowed delivery, which is never sent."""
    return id.endswith(_SHADOW.hex())


def once_id(source: str, route: str, key: str, sink: str, *, shadow: bool = False) -> str:
    """Return the id of the only delivery that a route with `once` makes for a key to a sink: a version 8 UUID.

    The source is part of it: two accounts may both have a lead 7.
    """
    return _identity(b"relay.once", source, route, key, sink, shadow=shadow)


def key_digest(source: str, route: str, key: str) -> str:
    """Return what stands in the store for a key of a route's `order` or `latest`; "" for an empty one: it is none."""
    return _digest(b"relay.key", source, route, key)[:8].hex() if key else ""


def _identity(kind: bytes, *names: str, shadow: bool) -> str:
    digest = bytearray(_digest(kind, *names))
    digest[6] = digest[6] & 0x0F | 0x80  # version 8 of RFC 9562: "custom"
    digest[8] = digest[8] & 0x3F | 0x80  # its variant
    if shadow:
        digest[-4:] = _SHADOW
    elif digest[-4:] == _SHADOW:
        digest[-1] ^= 1
    name = digest.hex()
    return f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"


def _digest(kind: bytes, *names: str) -> bytes:
    # The lengths make ("ab", "c") and ("a", "bc") differ.
    text = "".join([f"{len(name)}:{name}" for name in names])
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=kind).digest()
