"""What must be there before a delivery, such as an invoice's customer: looked up, else made, and remembered.

Every repetition of a delivery uses what the first one found: a body must stay the same under its idempotency key.
Deliveries that give the same values share it, and never make it twice.
"""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec

from relay.model import Json, Outcome, Result
from relay.sinks.calls import AttemptOver, Calls
from relay.sinks.checks import json_of, pick
from relay.sinks.http.lookups import KEY, Ask, Found, Make, Need, can_ask
from relay.transport import Response, TransportFailure

REMEMBERED_MS = 35 * 24 * 3600 * 1000  # longer than a dead letter is kept
LOCK_MS = 25_000  # longer than any sink's timeout

_KEYS = uuid.UUID("0a1f6a52-59b5-5d0f-8b7c-6f3f0d2c9f6e")

Asking: TypeAlias = Callable[[Ask, Mapping[str, Json]], Awaitable[Found]]
Making: TypeAlias = Callable[[Make, Mapping[str, Json]], Awaitable[tuple[Result, Response | TransportFailure]]]


class DependencyResolver:
    """One need of a sink. `identity`: whose account it is in, so that another account's ids are never used."""

    def __init__(self, name: str, need: Need, identity: str) -> None:
        self._name = name
        self._need = need
        self._identity = identity

    def _key(self, values: Mapping[str, Json]) -> str:
        """Name what is needed by what it is asked by: a UUID that a vendor may take for an idempotency key."""
        written = msgspec.json.encode([self._identity, self._name, values], order="deterministic")
        return str(uuid.uuid5(_KEYS, hashlib.sha256(written).hexdigest()))

    async def get(self, values: Mapping[str, Json], calls: Calls, ask: Asking, make: Making) -> Json:
        """Return what the content uses of it. Raise AttemptOver where that cannot be had now."""
        key, shared = self._key(values), calls.tools.shared

        async def look_up_or_make() -> bytes:
            found = msgspec.json.encode(await self._look_up_or_make({**values, KEY: key}, ask, make))
            await shared.put(f"need:{key}", found, REMEMBERED_MS)
            return found

        found = await shared.find_or_make(
            lambda: shared.get(f"need:{key}"), look_up_or_make, lock=f"need:{key}:lock", lock_ms=LOCK_MS
        )
        if found is None:
            raise self._over(Outcome.THROTTLED, "another delivery is looking it up just now", after_ms=1000)
        return _read(found)

    async def forget(self, values: Mapping[str, Json], calls: Calls) -> None:
        """Look it up again next time: what was refused may refer to something that is gone there."""
        await calls.tools.shared.delete(f"need:{self._key(values)}")

    async def _look_up_or_make(self, values: Mapping[str, Json], ask: Asking, make: Making) -> Json:
        asked = [question for question in self._need.lookup if can_ask(question, values)]
        if not asked:
            raise self._over(Outcome.REJECTED, "this delivery has nothing to look it up by")
        for question in asked:
            found = await ask(question, values)
            if found.state == "unclear":
                assert found.result
                # Nothing was sent, so what is not clear may be asked again.
                outcome = Outcome.RETRY if found.result.outcome is Outcome.UNKNOWN else found.result.outcome
                raise self._over_with(msgspec.structs.replace(found.result, outcome=outcome))
            if found.state == "several":
                raise self._over(Outcome.REJECTED, "there are several of it there: which one is meant?")
            if found.state == "found":
                return found.value
        return await self._make(values, make)

    async def _make(self, values: Mapping[str, Json], make: Making) -> Json:
        if self._need.create is None:
            raise self._over(Outcome.REJECTED, "it is not there, and the sink has no create for it")
        result, answer = await make(self._need.create, values)
        if result.outcome is Outcome.UNKNOWN:
            result = msgspec.structs.replace(result, outcome=Outcome.RETRY)  # the next attempt looks first
        if result.outcome is not Outcome.DELIVERED or not isinstance(answer, Response):
            raise self._over_with(result)
        made = pick(json_of(answer.body), self._need.create.id_path)
        if not made:
            raise self._over(Outcome.RETRY, f"made, but the answer has nothing at {self._need.create.id_path}")
        return made[0]

    def _over(self, outcome: Outcome, reason: str, after_ms: int | None = None) -> AttemptOver:
        return self._over_with(Result(outcome=outcome, reason=reason, after_ms=after_ms))

    def _over_with(self, result: Result) -> AttemptOver:
        return AttemptOver(msgspec.structs.replace(result, reason=f"needs.{self._name}: {result.reason}"))


def _read(stored: bytes) -> Json:
    value: Json = msgspec.json.decode(stored)
    return value
