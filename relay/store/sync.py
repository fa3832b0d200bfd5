"""What must have been written where before a hook is acknowledged, or a mark counts."""

from typing import Final, Literal

from redis.asyncio import Redis

from relay.errors import StoreUnavailable
from relay.model import Record
from relay.store.commands import run_command

SYNCED_WITHIN_MS: Final = 1500  # what every second is synced takes one at most; amoCRM waits for two
_ASK_AFTER_MS: Final = (5, 15, 50, 200)
_NO_REPLICA: Final = "RELAY_WAITAOF=replica, and the store has no replica: nothing is taken until it has one"


class Sync(Record):
    """The store's disk, and the disks of so many replicas."""

    replicas: int = 0
    within_ms: int = SYNCED_WITHIN_MS

    @property
    def waits_ms(self) -> list[int]:
        """How long each WAITAOF waits, one after another.

        Each asks the replicas, who answer what they have on disk at that moment, and by themselves once a second only.
        """
        asked = [] if self.replicas == 0 else [wait for wait in _ASK_AFTER_MS if wait < self.within_ms / 2]
        return [*asked, self.within_ms - sum(asked)]


def sync_of(waitaof: Literal["0", "1", "replica"]) -> Sync | None:
    """Return what RELAY_WAITAOF asks for."""
    return None if waitaof == "0" else Sync(replicas=int(waitaof == "replica"))


async def check_sync(client: Redis, sync: Sync | None, replicas: int) -> None:
    """Raise StoreUnavailable where a store with so many replicas can take nothing that is to be synced so."""
    if sync is None:
        return
    if replicas < sync.replicas:
        raise StoreUnavailable(_NO_REPLICA)
    try:
        await run_command(client.waitaof(1, 0, sync.within_ms))
    except StoreUnavailable as error:
        advice = "RELAY_WAITAOF wants appendonly yes, on Redis 7.2 or Valkey"
        raise StoreUnavailable(f"{error}; {advice}") from error
