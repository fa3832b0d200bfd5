"""Compress bodies: what is routed is read rarely, and percent-encoded brackets compress to a quarter."""

import zlib
from hashlib import blake2b


def digest(body: bytes) -> str:
    """Return a short name of a body, by which repetitions of it are found."""
    return blake2b(body, digest_size=16).hexdigest()


def pack(body: bytes) -> bytes | None:
    """Compress a body. Returns None where that would not save a third."""
    packed = zlib.compress(body, 1)
    return packed if len(packed) * 3 < len(body) * 2 else None


def unpack(packed: bytes) -> bytes:
    """Return the body that `pack` compressed."""
    return zlib.decompress(packed)
