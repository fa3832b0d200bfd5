"""Say which names of a filter nothing has: a search for them finds nothing, and never will."""

from relay.config.suggestions import did_you_mean
from relay.events import EVENT_ENTITIES
from relay.operations.search import EventFilter
from relay.store.fields import Counter
from relay.store.reader import Reader


async def unknown_filters(reader: Reader, filters: EventFilter) -> list[str]:
    """Return a line for each name in a filter that has never been here. Raises StoreUnavailable."""
    counters = await reader.counters()
    known = {
        "source": (filters.source, {name[1] for name in counters if name[0] == Counter.RECEIPT}),
        "sink": (filters.sink, set(await reader.registered_sinks())),
        "route": (filters.route, {name[1] for name in counters if name[0] == Counter.ROUTE}),
        "event": (filters.event, EVENT_ENTITIES.keys() | {name[2] for name in counters if name[0] == Counter.EVENT}),
    }
    return [
        f"no {kind} {name} has been here: {did_you_mean(name, names)}"
        for kind, (name, names) in known.items()
        if name and name not in names
    ]
