"""Compress bodies: what is routed is read rarely, and percent-encoded brackets compress to a quarter."""

import zlib
from hashlib import blake2b
from typing import Final

# For a body that fits it, a window of 8 KB is cleared so much faster than one of 32 KB that it pays for thoroughness. A
# small table is, too: with the usual one a hook takes twice the time, and becomes no smaller.
_SMALL: Final = 8192  # bytes: nearly all are smaller
_OF_SMALL: Final = (5, zlib.DEFLATED, 13, 5)  # level, method, bits of the window, size of the table
_OF_LARGE: Final = (1, zlib.DEFLATED, 15)


def digest(body: bytes) -> str:
    """Return a short name of a body, by which repetitions of it are found."""
    return blake2b(body, digest_size=16).hexdigest()


def compress(body: bytes) -> bytes:
    """Compress a body, whatever that saves."""
    packing = zlib.compressobj(*(_OF_SMALL if len(body) <= _SMALL else _OF_LARGE))
    return packing.compress(body) + packing.flush()


def pack(body: bytes) -> bytes | None:
    """Compress a body. Returns None where that would not save a third."""
    packed = compress(body)
    return packed if len(packed) * 3 < len(body) * 2 else None


def unpack(packed: bytes) -> bytes:
    """Return the body that `pack` compressed."""
    return zlib.decompress(packed)
