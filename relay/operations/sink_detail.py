"""Read how sinks stand, with what the configuration says of them: routes, settings, and which are orphans."""

from collections.abc import Mapping, Sequence

from relay.config.config import Config
from relay.config.sink import SinkSettings
from relay.durations import format_exact_duration
from relay.errors import RelayError
from relay.masking import mask_secrets_in_json
from relay.model import SUBSCRIBER, Json, Record
from relay.operations.failures import find_failures
from relay.operations.gates import read_sink_story
from relay.operations.minutes import read_minutes
from relay.operations.stats import Latency, latency
from relay.store.failures import FailureCause
from relay.store.gate import GateChange
from relay.store.histograms import ATTEMPT, END_TO_END
from relay.store.queues import SinkState
from relay.store.reader import Reader


class SinkLine(Record):
    """A sink in a list. `orphan`: it left the configuration, and something is left of it. `delivered`: last minute."""

    state: SinkState
    orphan: bool
    attempt: Latency
    end_to_end: Latency
    delivered: float | None
    rate: str  # that its settings allow; empty: any


class SinkDetail(Record):
    """A sink with its gate's history, newest first, the causes of its failures, its routes and its settings."""

    line: SinkLine
    history: Sequence[GateChange]
    failures: Sequence[FailureCause]
    routes: Sequence[str]
    settings: Json  # None where the configuration does not have it


async def list_sinks(reader: Reader, config: Config) -> list[SinkLine]:
    """Read how all sinks stand; one that the configuration no longer has only where something is left of it.

    Raises StoreUnavailable.
    """
    counters, minutes = await reader.counters(), (await read_minutes(reader, 1)).by_sink
    found = [_line(state, config, counters, minutes) for state in await reader.sinks()]
    known = [one for one in found if one.orphan or one.state.name in config.sinks or _is_subscriber(one.state.name)]
    return sorted(known, key=lambda one: (not one.orphan, one.state.name))


async def read_sink_detail(reader: Reader, config: Config, name: str) -> SinkDetail:
    """Read one. Raises RelayError where there is none of that name, StoreUnavailable."""
    story = await read_sink_story(reader, name)
    counters, minutes = await reader.counters(), (await read_minutes(reader, 1)).by_sink
    return SinkDetail(
        line=_line(story.state, config, counters, minutes),
        history=list(reversed(story.history)),
        failures=await find_failures(reader, name),
        routes=[route.name for route in config.routes if name in route.sinks],
        settings=describe_settings(config.sinks[name]) if name in config.sinks else None,
    )


def find_configured(config: Config, name: str) -> SinkSettings:
    """Return the settings of a sink. Raises RelayError where the configuration does not have it."""
    if name not in config.sinks:
        raise RelayError(f"{name} is not in the configuration: nothing can be asked there")
    return config.sinks[name]


def describe_settings(settings: SinkSettings) -> Json:
    """Return the settings of a sink as they were loaded, secrets masked. Pure."""
    loaded: Json = settings.model_dump(mode="json", exclude_none=True, fallback=str)
    return mask_secrets_in_json(loaded, tuple(filter(None, settings.hidden_values())))


def _line(
    state: SinkState,
    config: Config,
    counters: Mapping[tuple[str, ...], int],
    minutes: Mapping[str, Sequence[float | None]],
) -> SinkLine:
    settings = config.sinks.get(state.name)
    left = state.pending + state.held + state.dead
    delivered = minutes.get(state.name, ())
    return SinkLine(
        state=state,
        orphan=settings is None and not _is_subscriber(state.name) and left > 0,
        attempt=latency(counters, ATTEMPT, state.name),
        end_to_end=latency(counters, END_TO_END, state.name),
        delivered=delivered[-1] if delivered else None,
        rate=_format_rate(settings.rate) if settings is not None and settings.rate else "",
    )


def _format_rate(rate: tuple[int, int]) -> str:
    count, per_ms = rate
    duration = format_exact_duration(per_ms)
    return f"{count}/{duration.removeprefix('1') if duration[1:].isalpha() else duration}"


def _is_subscriber(name: str) -> bool:
    return name.startswith(SUBSCRIBER)
