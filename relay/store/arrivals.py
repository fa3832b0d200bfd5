"""Read which receipts arrived behind a place: what jobs have gone through of them."""

from redis.asyncio import Redis

from relay.store.commands import run_command
from relay.store.keys import Keys

_AT_ONCE = 500


async def read_arrivals(
    client: Redis, keys: Keys, after: tuple[int, str], until: int, most: int
) -> list[tuple[str, int]]:
    """Return the receipts that arrived behind a place and until a time, the oldest first, with their arrivals.

    `after`: an arrival (epoch milliseconds) and the id of the last receipt that had it. Raises StoreUnavailable.
    """
    score, last = after
    found: list[tuple[str, int]] = []
    start = 0
    while len(found) < most:
        page = await run_command(
            client.zrangebyscore(keys.receipts, score, until, start=start, num=_AT_ONCE, withscores=True)
        )
        rows = [(member.decode(), int(arrival)) for member, arrival in page]
        found += [row for row in rows if (row[1], row[0].encode()) > (score, last.encode())]
        start += _AT_ONCE
        if len(page) < _AT_ONCE:
            break
    return found[:most]
