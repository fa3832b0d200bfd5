"""Why deliveries are held or dead: grouped by cause, with how many there are of each."""

from collections.abc import Sequence

from msgspec.structs import replace

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
    return await read_causes(reader, names if sink is None else [sink])


async def read_causes(reader: Reader, sinks: Sequence[str]) -> list[FailureCause]:
    """Return the causes of some sinks' failures, those of one cause in several shards together."""
    found: dict[tuple[str, str], FailureCause] = {}
    for one in reader.each.values():
        for cause in await read_failures(one.client, one.namespace, sinks):
            key = cause.sink, cause.id
            found[key] = _add(found[key], cause) if key in found else cause
    return sorted(found.values(), key=lambda one: -one.count)


def _add(first: FailureCause, second: FailureCause) -> FailureCause:
    return replace(
        first,
        count=first.count + second.count,
        first=min(first.first, second.first),
        last=max(first.last, second.last),
        samples=[*first.samples, *second.samples],
    )
