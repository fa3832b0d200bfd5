"""How much may be done right now, over all queues: what an autoscaler needs to know."""

from collections.abc import Iterable

from relay.model import is_subscriber
from relay.store.keys import INBOX, account_queue, sink_queue
from relay.store.queues import DueWork
from relay.store.reader import Reader


async def read_due_work(reader: Reader, sinks: Iterable[str], sources: Iterable[str]) -> DueWork:
    """Read how many receipts, look-ups and deliveries may be taken now, and for how long the oldest has been due.

    What waits for its next attempt or behind a closed gate is left out, and so is what is for a sink that is not in the
    configuration: more workers would not help. Raises StoreUnavailable.
    """
    subscribers = [name for name in await reader.registered_sinks() if is_subscriber(name)]
    queues = [INBOX, *map(account_queue, sources), *map(sink_queue, [*sinks, *subscribers])]
    found = await reader.due(queues)
    return DueWork(count=sum(work.count for work in found), oldest_ms=max(work.oldest_ms for work in found))
