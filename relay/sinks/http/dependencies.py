"""What must be there before a delivery, such as an invoice's customer: looked up, else created, and remembered.

Every repetition of a delivery uses what the first attempt found: a body must stay the same under its idempotency key.
Deliveries that give the same values share it, and never create it twice.
"""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec

from relay.model import Json, Outcome, Result
from relay.sinks.attempt_calls import AttemptCalls, EndAttempt
from relay.sinks.http.lookups import LookupResult, can_look_up
from relay.sinks.http.settings import KEY, CreateSettings, DependencySettings, LookupSettings
from relay.sinks.json_paths import values_at
from relay.transport import Answer, Response, body_json, json_problem

REMEMBERED_MS = 35 * 24 * 3600 * 1000  # longer than a dead letter is kept
LOCK_MS = 25_000  # longer than any sink's timeout

_KEYS = uuid.UUID("0a1f6a52-59b5-5d0f-8b7c-6f3f0d2c9f6e")

LookUp: TypeAlias = Callable[[LookupSettings, Mapping[str, Json]], Awaitable[LookupResult]]
Create: TypeAlias = Callable[[CreateSettings, Mapping[str, Json]], Awaitable[tuple[Result, Answer]]]


class DependencyResolver:
    """One dependency of a sink. `identity` names the account, so that another account's ids are never used."""

    def __init__(self, name: str, settings: DependencySettings, identity: str) -> None:
        self._name = name
        self._settings = settings
        self._identity = identity

    def _key(self, values: Mapping[str, Json]) -> str:
        """Derive a key from the values it is looked up by: a UUID that a vendor may take for an idempotency key."""
        written = msgspec.json.encode([self._identity, self._name, values], order="deterministic")
        return str(uuid.uuid5(_KEYS, hashlib.sha256(written).hexdigest()))

    async def get(self, values: Mapping[str, Json], calls: AttemptCalls, look_up: LookUp, create: Create) -> Json:
        """Return the value that the content uses, such as an id. Raise EndAttempt where it cannot be had now."""
        key, shared = self._key(values), calls.tools.shared

        async def look_up_or_create() -> bytes:
            found = msgspec.json.encode(await self._look_up_or_create({**values, KEY: key}, look_up, create))
            await shared.put(f"need:{key}", found, REMEMBERED_MS)
            return found

        found = await shared.find_or_make(
            lambda: shared.get(f"need:{key}"), look_up_or_create, lock=f"need:{key}:lock", lock_ms=LOCK_MS
        )
        if found is None:
            raise self._end(Outcome.THROTTLED, "another delivery is looking it up just now", after_ms=1000)
        return _decode(found)

    async def forget(self, values: Mapping[str, Json], calls: AttemptCalls) -> None:
        """Look it up again next time: a refused delivery may refer to something that no longer exists there."""
        await calls.tools.shared.delete(f"need:{self._key(values)}")

    async def _look_up_or_create(self, values: Mapping[str, Json], look_up: LookUp, create: Create) -> Json:
        lookups = [settings for settings in self._settings.lookup if can_look_up(settings, values)]
        if not lookups:
            raise self._end(Outcome.REJECTED, "this delivery has nothing to look it up by")
        for settings in lookups:
            found = await look_up(settings, values)
            if found.state == "unclear":
                assert found.result
                # Nothing was sent, so it may simply be tried again.
                outcome = Outcome.RETRY if found.result.outcome is Outcome.UNKNOWN else found.result.outcome
                raise self._end_with(msgspec.structs.replace(found.result, outcome=outcome))
            if found.state == "several":
                raise self._end(Outcome.REJECTED, "there are several of it there: which one is meant?")
            if found.state == "found":
                return found.value
        return await self._create(values, create)

    async def _create(self, values: Mapping[str, Json], create: Create) -> Json:
        if self._settings.create is None:
            raise self._end(Outcome.REJECTED, "it is not there, and the sink has no create for it")
        result, answer = await create(self._settings.create, values)
        if result.outcome is Outcome.UNKNOWN:
            result = msgspec.structs.replace(result, outcome=Outcome.RETRY)  # the next attempt looks it up first
        if result.outcome is not Outcome.DELIVERED or not isinstance(answer, Response):
            raise self._end_with(result)
        created = values_at(body_json(answer), self._settings.create.id_path)
        if not created:
            problem = json_problem(answer)
            why = f"cannot be read: {problem}" if problem else f"has nothing at {self._settings.create.id_path}"
            raise self._end(Outcome.RETRY, f"created, but the answer {why}")
        return created[0]

    def _end(self, outcome: Outcome, reason: str, after_ms: int | None = None) -> EndAttempt:
        return self._end_with(Result(outcome=outcome, reason=reason, after_ms=after_ms))

    def _end_with(self, result: Result) -> EndAttempt:
        return EndAttempt(msgspec.structs.replace(result, reason=f"needs.{self._name}: {result.reason}"))


def _decode(stored: bytes) -> Json:
    value: Json = msgspec.json.decode(stored)
    return value
