"""What is counted over all workers, and may be spent up to a limit."""

from relay.model import Record


class Quota(Record, array_like=True):
    """Spend `amount` of the `limit` that `key` has until a moment (epoch milliseconds), when it begins anew."""

    key: str
    amount: int
    limit: int
    until_ms: int


class QuotaExceeded(Record):
    """The quota that would have been exceeded, and in how many milliseconds it begins anew."""

    key: str
    wait_ms: int
