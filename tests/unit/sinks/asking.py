"""A vendor by script, and notes in memory: for sinks that make several calls in one attempt."""

import asyncio
import json
from types import SimpleNamespace

from multidict import CIMultiDict

from relay.sinks import calls
from relay.sinks.tools import Tools
from relay.transport import Response

NOW = 1_790_000_123.456


class MemoryNotes:
    """Notes as one process sees them."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes | str] = {}
        self.granted: list[int] = []  # what grants are answered: milliseconds to wait

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl_ms):
        assert ttl_ms > 0
        self.kept[key] = value

    async def delete(self, key):
        self.kept.pop(key, None)

    async def lock(self, key, owner, ttl_ms):
        return self.kept.setdefault(key, owner) == owner

    async def unlock(self, key, owner):
        return self.kept.get(key) == owner and self.kept.pop(key) == owner

    async def take_grant(self, limits):
        return self.granted.pop(0) if self.granted else 0


class Vendor:
    """Answers in turn, and remembers what it was asked. An answer is (status, body), a Response or a failure."""

    def __init__(self, monkeypatch) -> None:
        self.asked = []
        self.answers = []
        self.shared = MemoryNotes()
        self.now = NOW
        monkeypatch.setattr(calls, "call", self._call)

    async def _call(self, session, request):
        self.asked.append(request)
        await asyncio.sleep(0)
        answer = self.answers.pop(0)
        return said(*answer) if isinstance(answer, tuple) else answer

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path_qs}" for request in self.asked]

    def run(self, doing, *answers):
        """Run `doing(tools)` against these answers, all of which must be used."""
        self.answers += answers
        tools = Tools(session=SimpleNamespace(), shared=self.shared, now=lambda: self.now)
        result = asyncio.run(doing(tools))
        assert not self.answers
        return result


def said(status: int, body=b"", **headers: str) -> Response:
    """Make an answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status=status, headers=named, body=content)
