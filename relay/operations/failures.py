"""Why deliveries are held or dead: grouped by cause, with how many there are of each."""

from relay.config.suggestions import did_you_mean
from relay.errors import RelayError
from relay.store.failures import FailureCause, read_failures
from relay.store.reader import Reader


async def find_failures(reader: Reader, sink: str | None = None) -> list[FailureCause]:
    """Return the causes of a sink's failures, or of all sinks', the most frequent first.

    Raises RelayError where there is no sink of that name, StoreUnavailable.
    """
    names = await reader.registered_sinks()
    if sink is not None and sink not in names:
        raise RelayError(f"unknown sink {sink}, {did_you_mean(sink, names)}")
    return await read_failures(reader.client, reader.namespace, names if sink is None else [sink])
