"""Remove what is finished, by its age and by how much there is."""

import msgspec
from redis.asyncio import Redis

from relay.store.kept_ages import KeptAges
from relay.store.keys import Keys
from relay.store.records import DUPLICATE_MS, DeadRules, Retired
from relay.store.scripts import Caller, Script

RETENTION_COMMANDS = 250  # of one call: some milliseconds at most, in which the store does nothing else
_APPLY = Script("apply_retention", "_acting", "_packed", "_retiring")
_APPLY_AGES = Script("apply_ages", "_acting", "_packed", "_retiring")
_RETIRED = msgspec.msgpack.Decoder(Retired)


class Retention:
    """Removes of one relay's store what was kept for long enough. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str) -> None:
        self._call = Caller(client, Keys(namespace).prefix)

    async def apply(
        self, finished_ms: int, dead_ms: int, count: int, max: int = 100, dead: DeadRules | None = None
    ) -> Retired:
        """Remove finished receipts over their age or over the count, oldest first: at most `max`, and as one call may.

        The call after it goes on where this one stopped, in the middle of a large receipt too. `dead`: how many with a
        dead letter may be, where that is another count.
        """
        rules = dead or DeadRules(count=count)
        request: dict[str, object] = {"finished_ms": finished_ms, "dead_ms": dead_ms, "count": count, "max": max}
        request |= {"dead_count": rules.count, "dead_rules": [rules.age_rule, rules.count_rule]}
        request |= {"most": RETENTION_COMMANDS, "duplicate_ms": DUPLICATE_MS}
        return _RETIRED.decode(await self._call(_APPLY, request))

    async def apply_ages(self, ages: KeptAges, max: int = 100) -> Retired:
        """Remove finished receipts that are over an age of their own, at most `max` of each age, and as one call may.

        What is over the longest of all ages is left to `apply`.
        """
        retired = Retired(removed=0, more=False)
        for kind in ages.kinds:
            for age_ms in kind.shorter:
                request = {"digest": ages.digest, "age_ms": age_ms, "lists": kind.lists, "ages": ages.by_source}
                request |= {"rule": kind.rules.get(age_ms, ""), "max": max}
                request |= {"most": RETENTION_COMMANDS, "duplicate_ms": DUPLICATE_MS}
                retired = retired.plus(_RETIRED.decode(await self._call(_APPLY_AGES, request)))
        return retired
