"""Texts, gateways' answers, and a memory that lives as long as a test."""

import json
from types import SimpleNamespace

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from relay.sinks.sms.content import Message
from relay.store.quotas import Quota, QuotaExceeded
from relay.transport import Response

NOW = 1_790_000_000.0  # Mon 2026-09-21 14:13:20 UTC, 17:13:20 in Moscow


class Memory:
    """Shared state without a store. The test sets the clock; quotas are refused as the script refuses them."""

    def __init__(self) -> None:
        self.now = NOW
        self.values: dict[str, bytes] = {}
        self.spent: dict[str, tuple[int, int]] = {}

    async def get(self, key):
        return self.values.get(key)

    async def put(self, key, value, ttl_ms):
        self.values[key] = value

    async def delete(self, key):
        self.values.pop(key, None)
        self.spent.pop(key, None)

    async def spend_quotas(self, quotas: list[Quota], budgets=None) -> QuotaExceeded | None:
        now_ms = int(self.now * 1000)
        for quota in quotas:
            if self.count(quota.key) + quota.amount > quota.limit:
                return QuotaExceeded(key=quota.key, wait_ms=max(quota.until_ms - now_ms, 0))
        for quota in quotas:
            self.spent[quota.key] = (self.count(quota.key) + quota.amount, quota.until_ms)
        return None

    def count(self, key: str) -> int:
        amount, until_ms = self.spent.get(key, (0, 0))
        return amount if until_ms > self.now * 1000 else 0


@pytest.fixture
def shared() -> Memory:
    return Memory()


@pytest.fixture
def tools(shared):
    return SimpleNamespace(session=None, shared=shared, now=lambda: shared.now)


@pytest.fixture
def message():
    """Make a message for a gateway."""

    def make(**more) -> Message:
        fields = {"id": "d-1", "phone": "+79161234567", "text": "Заказ готов", "sender": ""}
        return Message(**{**fields, **more})

    return make


@pytest.fixture
def answer():
    """Make an answer of a gateway."""

    def make(content: object = None, status: int = 200, *, truncated: bool = False, **headers: str) -> Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        named = CIMultiDictProxy(CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))
        return Response(status=status, headers=named, body=body, truncated=truncated)

    return make
