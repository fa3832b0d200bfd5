"""How long dead letters are kept, and what is told before any goes: they hold what nobody has acted on yet."""

from collections.abc import Iterator

from redis.asyncio import Redis

from relay.config.schema import RetentionSection
from relay.model import Record
from relay.operations.diagnosis import Diagnosis, HelpfulAct
from relay.store.commands import run_command
from relay.store.health import MemoryUse
from relay.store.kept_ages import kept_ages
from relay.store.keys import Keys
from relay.store.queues import FILLING
from relay.store.records import DeadRules
from relay.timefmt import format_duration, format_time

NEVER = 2**53 - 1
TOLD_BEFORE_MS = 3 * 24 * 3_600_000  # or a tenth of the time for which they are kept, if that is shorter


class DeadLetters(Record):
    """The finished hooks with a dead letter, among all hooks. `oldest_at`: when the first of them was finished."""

    count: int
    hooks: int
    oldest_at: int | None = None

    def share(self, memory: MemoryUse) -> float:
        """Return which part of the store's memory they take, about: as much each as any other hook."""
        return self.count / max(self.hooks, 1) * memory.used / memory.limit if memory.limit else 0.0

    def most(self, memory: MemoryUse, share: float) -> int:
        """Return how many may be, where they may take so much of the memory."""
        if not memory.limit or not memory.used:
            return NEVER
        return int(memory.limit * share / (memory.used / max(self.hooks, 1)))


async def read_dead_letters(client: Redis, keys: Keys) -> DeadLetters:
    """Count them. Raises StoreUnavailable."""
    async with client.pipeline(transaction=False) as pipe:
        pipe.zcard(keys.finished_dead)
        pipe.zcard(keys.receipts)
        pipe.zrange(keys.finished_dead, 0, 0, withscores=True)
        count, hooks, oldest = await run_command(pipe.execute())
    return DeadLetters(count=count, hooks=hooks, oldest_at=int(oldest[0][1]) if oldest else None)


def dead_rules(found: DeadLetters, memory: MemoryUse, keep: RetentionSection) -> DeadRules:
    """Return by which rules they go now."""
    dead = kept_ages(keep).dead
    return DeadRules(
        count=found.most(memory, keep.dead_share),
        age_rule=dead.rules[dead.longest],
        count_rule=f"retention.dead_share: {keep.dead_share:.0%}",
    )


def diagnose_dead_letters(
    found: DeadLetters, memory: MemoryUse | None, keep: RetentionSection, now: int
) -> Iterator[Diagnosis]:
    """Say before the first of them goes, by their age or by their share of the memory. Pure."""
    dead = kept_ages(keep).dead
    shortest = min(dead.rules)  # the oldest may be another source's, and then goes later
    if found.oldest_at is not None and found.oldest_at + shortest - now <= min(TOLD_BEFORE_MS, shortest // 10):
        yield _expiring(found, found.oldest_at + shortest, dead.rules[shortest], now)
    if memory and found.share(memory) >= keep.dead_share * FILLING:
        yield _crowded(found, found.share(memory), keep)


def _expiring(found: DeadLetters, at: int, rule: str, now: int) -> Diagnosis:
    when = f"at {format_time(at)}, in {format_duration(max(at - now, 0))}"
    return _warn("dead-expiring", f"the oldest of {found.count} hooks with one goes {when} ({rule})", found.count)


def _crowded(found: DeadLetters, share: float, keep: RetentionSection) -> Diagnosis:
    most = f"at most {keep.dead_share:.0%} may be (retention.dead_share)"
    return _warn("dead-crowded", f"the hooks with one take {share:.0%} of the store, {most}", found.count)


def _warn(kind: str, found: str, count: int) -> Diagnosis:
    command = "relay deliveries list --state dead"
    return Diagnosis(
        about="dead letters", grade="warning", found=found,
        means="the oldest go with their hooks, nothing of them can be sent again then; relay audit tells of each",
        advice="relay dead list shows them: resend them, give them up, or let retention keep more",
        kind=kind, count=count, act=HelpfulAct(name="list-deliveries", command=command, filters={"state": "dead"}),
    )  # fmt: skip
