"""Records that are written anew: packed, unpacked, or with a person taken out."""

from collections.abc import Mapping, Sequence

from relay.model import Record


class ErasedDelivery(Record, array_like=True, kw_only=False):
    """A delivery that a person is taken out of: of how many texts its fields and its story are, beside the request."""

    id: str
    fields: int
    story: int


class PackRow(Record, array_like=True, kw_only=False):
    """A receipt to pack: what tells that it has not changed, what goes with it. Its value goes beside the request."""

    receipt: str
    digest: str
    deliveries: Sequence[str]
    contents: Sequence[str]
    once: Mapping[str, str]  # ids of `once` deliveries -> their states


class UnpackedDelivery(Record, array_like=True, kw_only=False):
    """A delivery as it was before it was packed: of how many texts its hash and its story are, which go beside it."""

    id: str
    fields: int
    story: int
    once: bool
