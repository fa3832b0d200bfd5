"""The base of the fake vendors. A new one is a file with a subclass, and an entry in `relay.sandbox.vendors`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import msgspec

from relay.model import Json, Record


class VendorRequest(Record):
    """A request to a vendor. `path` is below the vendor's own, header names are in lower case."""

    vendor: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """The idempotency key, "" where there is none."""
        return self.headers.get("idempotency-key", "")


class Answer(Record):
    """A vendor's answer. `stored`: it did what was asked; `repeat`: it did so before, and answers the same again."""

    content: "Json | msgspec.Raw"  # raw: the body as it is
    status: int = 200
    headers: Mapping[str, str] = {}
    stored: bool = True
    repeat: bool = False


class Vendor(ABC):
    """One fake vendor with its memory. Clearing the sandbox replaces it by a new one."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def answer(self, request: VendorRequest) -> Answer:
        """Process a request as the vendor would, and return the answer."""

    def on_finished(self, _request: VendorRequest) -> None:
        """Called when a request is over: the answer was sent, or the client has left."""
        return
