"""Ids that follow from what a delivery is, so that a repetition finds what is already there."""

from hashlib import blake2b


def delivery_id(event_id: str, route: str, sink: str) -> str:
    """Name the delivery of one event by one route to one sink: a version 8 UUID."""
    return _identity(b"relay.delivery", event_id, route, sink)


def once_id(source: str, route: str, key: str, sink: str) -> str:
    """Name the only delivery that a route with `once` makes for a key to a sink: a version 8 UUID.

    The source is part of it: two accounts may both have a lead 7.
    """
    return _identity(b"relay.once", source, route, key, sink)


def _identity(kind: bytes, *names: str) -> str:
    # Lengths go first, so ("ab", "c") and ("a", "bc") differ whatever the texts hold.
    text = "".join([f"{len(name)}:{name}" for name in names])
    digest = bytearray(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=kind).digest())
    digest[6] = digest[6] & 0x0F | 0x80  # version 8, RFC 9562: "custom"
    digest[8] = digest[8] & 0x3F | 0x80  # its variant
    name = digest.hex()
    return f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"
