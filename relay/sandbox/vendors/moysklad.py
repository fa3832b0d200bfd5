"""MoySklad 1.2: gzip or an empty 415, a syncId repeats what it made, waits are told in milliseconds.

15 requests in 3 seconds (1049) and 5 at a time (1073). Tokens and passwords that begin with "wrong" are not valid.
"""

import base64
import gzip
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

import msgspec

from relay.model import Json
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest

MOST, WITHIN_SECONDS = 15, 3.0
PARALLEL: Final = 5
_MADE: Final = frozenset({"invoiceout", "counterparty"})
_REQUIRED: Final[Mapping[str, Sequence[str]]] = {
    "invoiceout": ("organization", "agent"),
    "counterparty": ("name",),
}


class MoySklad(Vendor):
    """Remembers invoices and counterparties, and who asks how often."""

    def __init__(self, name: str, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._now = now
        self._made: dict[str, dict[str, dict[str, Json]]] = {kind: {} for kind in _MADE}
        self._asked: deque[float] = deque()
        self._inside = 0

    def answer(self, arrived: VendorRequest) -> Answer:
        """Answer as MoySklad would."""
        self._inside += 1
        if "gzip" not in arrived.headers.get("accept-encoding", ""):
            return Answer(content=msgspec.Raw(), status=415, stored=False)
        return _zipped(self._limited() or self._answered(arrived))

    def on_finished(self, _: VendorRequest) -> None:
        """Hear that a request is over."""
        self._inside -= 1

    def _limited(self) -> Answer | None:
        now = self._now()
        while self._asked and self._asked[0] <= now - WITHIN_SECONDS:
            self._asked.popleft()
        if self._inside > PARALLEL:
            return _error(429, 1073, "too many requests at a time", {"X-Lognex-Retry-After": "100"})
        if len(self._asked) >= MOST:
            wait_ms = round((self._asked[0] + WITHIN_SECONDS - now) * 1000)
            return _error(429, 1049, "too many requests", {"X-Lognex-Retry-After": str(max(wait_ms, 1))})
        self._asked.append(now)
        return None

    def _answered(self, arrived: VendorRequest) -> Answer:
        secret = _secret(arrived.headers.get("authorization", ""))
        if not secret or secret.startswith("wrong"):
            return _error(401, 1056, "wrong name or password")
        match arrived.path.strip("/").rpartition("/")[::2]:
            case ["entity", "organization"] if arrived.method == "GET":
                return _listed([{"name": "ACME"}])
            case ["entity", kind] if kind in _MADE:
                return self._find(kind, arrived) if arrived.method == "GET" else self._make(kind, arrived)
        return _error(404, 1002, "there is nothing here")

    def _find(self, kind: str, arrived: VendorRequest) -> Answer:
        conditions = parse_qs(arrived.query).get("filter", [""])[0].split(";")
        wanted = dict(condition.split("=", 1) for condition in conditions if condition)
        return _listed([one for one in self._made[kind].values() if all(one.get(k) == v for k, v in wanted.items())])

    def _make(self, kind: str, arrived: VendorRequest) -> Answer:
        try:
            content = msgspec.json.decode(arrived.body, type=dict[str, msgspec.Raw])
            given: dict[str, Json] = {key: msgspec.json.decode(value) for key, value in content.items()}
        except msgspec.DecodeError:
            return _error(400, 2004, "not JSON")
        if missing := [key for key in _REQUIRED[kind] if not given.get(key)]:
            return _error(412, 3000, f"{missing[0]} is missing")
        sync = str(given.get("syncId") or "")
        if earlier := next((one for one in self._made[kind].values() if sync and one.get("syncId") == sync), None):
            return Answer(content=earlier, stored=False, repeat=True)
        id = str(uuid.uuid4())
        meta: Json = {"href": f"/entity/{kind}/{id}", "type": kind, "mediaType": "application/json"}
        self._made[kind][id] = {**given, "id": id, "meta": meta}
        return Answer(content=self._made[kind][id])


def _secret(header: str) -> str:
    scheme, _, coded = header.partition(" ")
    return base64.b64decode(coded).decode().partition(":")[2] if scheme == "Basic" else coded


def _listed(rows: Sequence[Json]) -> Answer:
    return Answer(content={"meta": {"size": len(rows)}, "rows": rows}, stored=False)


def _error(status: int, code: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    content: Json = {"errors": [{"error": text, "code": code}]}
    return Answer(content=content, status=status, headers=headers or {}, stored=False)


def _zipped(answer: Answer) -> Answer:
    body = gzip.compress(msgspec.json.encode(answer.content), mtime=0)
    headers = {**answer.headers, "content-encoding": "gzip"}
    return msgspec.structs.replace(answer, content=msgspec.Raw(body), headers=headers)
