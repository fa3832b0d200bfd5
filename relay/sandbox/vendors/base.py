"""What every fake vendor is. A new one is one file with one subclass, named once in `relay.sandbox.vendors`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import msgspec

from relay.model import Json, Record


class VendorRequest(Record):
    """A request as it reached a vendor. `path` is below the vendor's own, header names are in lower case."""

    vendor: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """Return its idempotency key, "" where it has none."""
        return self.headers.get("idempotency-key", "")


class Answer(Record):
    """What a vendor says. `stored`: it did what was asked; `repeat`: it had done so already and says the same again."""

    content: "Json | msgspec.Raw"  # raw: the body as it is
    status: int = 200
    headers: Mapping[str, str] = {}
    stored: bool = True
    repeat: bool = False


class Vendor(ABC):
    """One fake vendor, with whatever it remembers. Made anew when the sandbox is cleared."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def answer(self, arrived: VendorRequest) -> Answer:
        """Take a request as the vendor would, and answer it."""

    def on_finished(self, _arrived: VendorRequest) -> None:
        """Hear that a request it answered is over: the answer is out, or nobody waits for it."""
        return
