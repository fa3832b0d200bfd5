"""The sandbox's own log of all requests, in order, whatever was answered. Tests and the demo compare with it."""

import time
from collections.abc import Sequence
from typing import Final

from relay.masking import mask_credentials, mask_secrets
from relay.model import Record
from relay.sandbox.vendors.base import Answer, VendorRequest

MAX_ENTRIES: Final = 100_000
_MASKED: Final = frozenset({"authorization", "proxy-authorization", "cookie"})


class LoggedRequest(Record):
    """One request in the log. `status` is None where no answer was given."""

    seq: int
    at: int  # epoch milliseconds
    vendor: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    idempotency_key: str
    stored: bool
    repeat: bool
    status: int | None
    fault: str


class Page(Record):
    """A page of the log. The next one begins `since` the number `next`."""

    requests: Sequence[LoggedRequest]
    next: int
    more: bool


class RequestLog:
    """The log. Clearing does not reset the numbers, so a reader misses nothing and sees nothing twice."""

    def __init__(self) -> None:
        self._seq = 0
        self._entries: list[LoggedRequest] = []

    def add(self, request: VendorRequest, answer: Answer | None, status: int | None, fault: str) -> None:
        """Add a request, the vendor's answer, and the fault that answered in its place."""
        self._seq += 1
        if len(self._entries) >= MAX_ENTRIES + MAX_ENTRIES // 10:
            del self._entries[: MAX_ENTRIES // 10]
        self._entries.append(
            LoggedRequest(
                seq=self._seq,
                at=time.time_ns() // 1_000_000,
                vendor=request.vendor,
                method=request.method,
                path=mask_secrets(request.path),
                query=request.query,
                headers={name: _masked(name, value) for name, value in request.headers.items()},
                body=request.body.decode(errors="replace"),
                idempotency_key=request.key,
                stored=answer is not None and answer.stored,
                repeat=answer is not None and answer.repeat,
                status=status,
                fault=fault,
            )
        )

    def page(self, since: int, limit: int, vendor: str | None) -> Page:
        """Return at most `limit` entries with numbers over `since`, of one vendor or of all."""
        first = self._entries[0].seq if self._entries else self._seq + 1
        found: list[LoggedRequest] = []
        for entry in self._entries[max(since + 1 - first, 0) :]:
            if vendor is None or entry.vendor == vendor:
                if len(found) == limit:
                    return Page(requests=found, next=found[-1].seq if found else since, more=True)
                found.append(entry)
        return Page(requests=found, next=self._seq, more=False)

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()


def _masked(name: str, value: str) -> str:
    return mask_credentials(value) if name in _MASKED else value
