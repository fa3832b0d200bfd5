"""The hooks that are stored, and those that are handed over."""

from relay.model import Record


class HookRow(Record, array_like=True, kw_only=False):
    """A hook to accept; its body goes beside the request."""

    id: str
    source: str
    digest: str
    timed: bool
    request_id: str
    content_type: str
    user_agent: str
    recovered: bool
    content_encoding: str
    trace: str


class HandedOver(Record, array_like=True):
    """Receipts that the store hands over to a listener as it stores them: their bodies follow, of these sizes."""

    store_ms: int  # the store's time
    subscriptions_version: int
    hooks: list[HookRow]
    sizes: list[int]
