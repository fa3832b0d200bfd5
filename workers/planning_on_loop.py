"""Say which receipts are planned on the loop: few and small ones, where planning has shown to be quick."""

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from relay.amocrm.content_encoding import is_compressed
from relay.config.config import Config
from relay.model import Receipt

T = TypeVar("T")
MOST_RECEIPTS: Final = 4
MOST_BYTES: Final = 8192
QUICK_RECEIPTS: Final = 20  # planned in the thread, one after another, before any is planned on the loop
SLOW_SECONDS: Final = 0.005  # of CPU a receipt, for which what has been answered would wait


class OnLoop:
    """Planning by a configuration is trusted once it was quick, and not any more when it was slow."""

    def __init__(self) -> None:
        self._version: object = None
        self._quick = 0  # receipts planned by this version since one was slow

    def may_plan(self, receipts: Sequence[Receipt], config: Config, version: object) -> bool:
        """Return whether receipts may be planned on the loop. What may have killed a worker never is."""
        if len(receipts) > MOST_RECEIPTS or version != self._version or self._quick < QUICK_RECEIPTS:
            return False
        small = sum(size_bound(receipt, config) for receipt in receipts) <= MOST_BYTES
        return small and not any(receipt.deaths for receipt in receipts)

    def note(self, receipts: int, seconds: float, version: object) -> None:
        """Note how much CPU it took to plan so many receipts by a version of the configuration."""
        slow = seconds > SLOW_SECONDS * receipts
        self._quick = 0 if slow else receipts + (self._quick if version == self._version else 0)
        self._version = version


def measured(work: Callable[[], T]) -> tuple[T, float]:
    """Do a piece of work. Returns how many seconds of CPU it took, too: others of the machine do not count."""
    before = time.thread_time()
    result = work()
    return result, time.thread_time() - before


def size_bound(receipt: Receipt, config: Config) -> int:
    """Return how large a receipt's body may be once it is inflated, and with it the hook that a fact refers to."""
    inflates = is_compressed(receipt.body, receipt.content_encoding)
    own = config.ingress.max_body if inflates else len(receipt.body)
    return own + (size_bound(receipt.original, config) if receipt.original else 0)
