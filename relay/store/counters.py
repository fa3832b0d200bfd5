"""Read the counters: what was added up, and what the last calls have counted beside it."""

from collections import Counter

import msgspec
from redis.asyncio import Redis

from relay.store.commands import run_command
from relay.store.keys import Keys

_COUNTED = msgspec.msgpack.Decoder(dict[str, int])


async def read_counters(client: Redis, keys: Keys) -> Counter[str]:
    """Return all counters by their fields; 0 for any other. Raises StoreUnavailable."""
    async with client.pipeline(transaction=True) as pipe:
        pipe.hgetall(keys.stats)
        pipe.lrange(keys.counted, 0, -1)
        stats, counted = await run_command(pipe.execute())
    counters = Counter({field.decode(): int(n) for field, n in stats.items()})
    for packed in counted:
        counters.update(_COUNTED.decode(packed))
    return counters
