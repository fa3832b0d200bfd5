"""A vendor that answers by a script, and shared state in memory: for sinks that make several calls in an attempt."""

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

from multidict import CIMultiDict

from relay.sinks import attempt_calls
from relay.sinks.tools import Tools
from relay.store.shared_state import SharedState
from relay.transport import Response

NOW = 1_790_000_123.456


class MemoryState(SharedState):
    """Shared state as one process sees it."""

    def __init__(self) -> None:
        self.values: dict[str, bytes | str] = {}
        self.granted: list[int] = []  # what grants are answered: milliseconds to wait

    async def get(self, key):
        return self.values.get(key)

    async def put(self, key, value, ttl_ms):
        assert ttl_ms > 0
        self.values[key] = value

    async def delete(self, key):
        self.values.pop(key, None)

    @asynccontextmanager
    async def lock(self, key, ttl_ms):
        acquired = key not in self.values
        if acquired:
            self.values[key] = b"locked"
        try:
            yield acquired
        finally:
            if acquired:
                del self.values[key]

    async def take_grant(self, limits):
        return self.granted.pop(0) if self.granted else 0


class Vendor:
    """Gives its answers in turn, and records the requests. An answer is (status, body), a Response or a failure."""

    def __init__(self, monkeypatch) -> None:
        self.requests = []
        self.answers = []
        self.shared = MemoryState()
        self.now = NOW
        self.secret_key = None
        monkeypatch.setattr(attempt_calls, "call", self._call)

    async def _call(self, session, request):
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self.answers.pop(0)
        return response(*answer) if isinstance(answer, tuple) else answer

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path_qs}" for request in self.requests]

    def run(self, work, *answers):
        """Run `work(tools)` against these answers, all of which must be used."""
        self.answers += answers
        tools = Tools(session=SimpleNamespace(), shared=self.shared, now=lambda: self.now, secret_key=self.secret_key)
        result = asyncio.run(work(tools))
        assert not self.answers
        return result


def response(status: int, body=b"", **headers: str) -> Response:
    """Make a response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status=status, headers=named, body=content)
