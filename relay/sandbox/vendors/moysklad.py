"""MoySklad 1.2: it requires gzip, returns the same document for a repeated syncId, and limits requests.

Without gzip it answers an empty 415. The limits are 15 requests in 3 seconds (error 1049) and 5 at a time (1073), with
the time to wait in milliseconds. Tokens and passwords that begin with "wrong" are not valid.
"""

import base64
import gzip
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

import msgspec

from relay.model import Json
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest

MAX_REQUESTS, WITHIN_SECONDS = 15, 3.0
MAX_PARALLEL: Final = 5
_KINDS: Final = frozenset({"invoiceout", "counterparty"})
_REQUIRED: Final[Mapping[str, Sequence[str]]] = {
    "invoiceout": ("organization", "agent"),
    "counterparty": ("name",),
}


_CONDITION: Final = re.compile(r"(\w+)(=~|~=|~|=)(.*)", re.DOTALL)
_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "=": str.__eq__,
    "~": str.__contains__,
    "=~": str.endswith,
    "~=": str.startswith,
}


class FakeMoySklad(Vendor):
    """Remembers invoices and counterparties, and the times of requests."""

    def __init__(self, name: str, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._now = now
        self._documents: dict[str, dict[str, dict[str, Json]]] = {kind: {} for kind in _KINDS}
        self._times: deque[float] = deque()
        self._in_progress = 0

    def answer(self, request: VendorRequest) -> Answer:
        """Answer as MoySklad would."""
        self._in_progress += 1
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Answer(content=msgspec.Raw(), status=415, stored=False)
        return _compress(self._check_limits() or self._respond(request))

    def on_finished(self, _: VendorRequest) -> None:
        """Count one request in progress less."""
        self._in_progress -= 1

    def _check_limits(self) -> Answer | None:
        now = self._now()
        while self._times and self._times[0] <= now - WITHIN_SECONDS:
            self._times.popleft()
        if self._in_progress > MAX_PARALLEL:
            return _error(429, 1073, "too many requests at a time", {"X-Lognex-Retry-After": "100"})
        if len(self._times) >= MAX_REQUESTS:
            wait_ms = round((self._times[0] + WITHIN_SECONDS - now) * 1000)
            return _error(429, 1049, "too many requests", {"X-Lognex-Retry-After": str(max(wait_ms, 1))})
        self._times.append(now)
        return None

    def _respond(self, request: VendorRequest) -> Answer:
        secret = _secret(request.headers.get("authorization", ""))
        if not secret or secret.startswith("wrong"):
            return _error(401, 1056, "wrong name or password")
        match request.path.strip("/").rpartition("/")[::2]:
            case ["entity", "organization"] if request.method == "GET":
                return _list_of([{"name": "ACME"}])
            case ["entity", kind] if kind in _KINDS:
                return self._find(kind, request) if request.method == "GET" else self._create(kind, request)
        return _error(404, 1002, "not found")

    def _find(self, kind: str, request: VendorRequest) -> Answer:
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        tests = [_parse_condition(condition) for condition in query.get("filter", "").split(";") if condition]
        found: list[Json] = [one for one in self._documents[kind].values() if all(test(one) for test in tests)]
        offset = int(query.get("offset", 0))
        return _list_of(found[offset : offset + int(query.get("limit", 1000))], len(found))

    def _create(self, kind: str, request: VendorRequest) -> Answer:
        try:
            content = msgspec.json.decode(request.body, type=dict[str, msgspec.Raw])
            given: dict[str, Json] = {key: msgspec.json.decode(value) for key, value in content.items()}
        except msgspec.DecodeError:
            return _error(400, 2004, "not JSON")
        if missing := [key for key in _REQUIRED[kind] if not given.get(key)]:
            return _error(412, 3000, f"{missing[0]} is missing")
        sync = str(given.get("syncId") or "")
        if earlier := next((one for one in self._documents[kind].values() if sync and one.get("syncId") == sync), None):
            return Answer(content=earlier, stored=False, repeat=True)
        id = str(uuid.uuid4())
        meta: Json = {"href": f"/entity/{kind}/{id}", "type": kind, "mediaType": "application/json"}
        self._documents[kind][id] = {**given, "id": id, "meta": meta}
        return Answer(content=self._documents[kind][id])


def _secret(header: str) -> str:
    scheme, _, coded = header.partition(" ")
    return base64.b64decode(coded).decode().partition(":")[2] if scheme == "Basic" else coded


def _parse_condition(condition: str) -> Callable[[Mapping[str, Json]], bool]:
    """Parse `field=text`, `~` (contains), `=~` (ends with) or `~=` (begins with)."""
    found = _CONDITION.fullmatch(condition)
    assert found, condition
    holds, wanted = _OPERATORS[found[2]], found[3]
    return lambda one: holds(str(one.get(found[1]) or ""), wanted)


def _list_of(rows: Sequence[Json], size: int | None = None) -> Answer:
    return Answer(content={"meta": {"size": len(rows) if size is None else size}, "rows": rows}, stored=False)


def _error(status: int, code: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    content: Json = {"errors": [{"error": text, "code": code}]}
    return Answer(content=content, status=status, headers=headers or {}, stored=False)


def _compress(answer: Answer) -> Answer:
    body = gzip.compress(msgspec.json.encode(answer.content), mtime=0)
    headers = {**answer.headers, "content-encoding": "gzip"}
    return msgspec.structs.replace(answer, content=msgspec.Raw(body), headers=headers)
