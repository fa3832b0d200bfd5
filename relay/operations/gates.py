"""Pause a sink and let it go on, and say what became of its gate."""

from relay.config.suggestions import did_you_mean
from relay.errors import RelayError
from relay.model import SUBSCRIBER, Record
from relay.store.acts import Author
from relay.store.gate import GateChange
from relay.store.keys import sink_queue
from relay.store.queues import SinkState
from relay.store.reader import Reader
from relay.store.store import Store
from relay.timefmt import format_time


class SinkStory(Record):
    """The state of a sink, and the newest changes of its gate, oldest first."""

    state: SinkState
    history: list[GateChange]


async def read_sink_story(reader: Reader, name: str) -> SinkStory:
    """Read the state of a sink and what became of its gate. Raises RelayError where there is none of that name."""
    states = {sink.name: sink for sink in await reader.sinks()}
    if name not in states:
        raise _unknown(name, states)
    return SinkStory(state=states[name], history=await reader.gate_history(sink_queue(name)))


async def pause_sink(store: Store, reader: Reader, name: str, author: Author, until: int | None) -> str:
    """Let nothing leave for a sink, until a time (epoch milliseconds) or until a person resumes it.

    Returns a line about it. Raises RelayError where that cannot be, StoreUnavailable.
    """
    await _check(reader, name)
    if until is not None and until <= await reader.now():
        raise RelayError(f"a pause until {format_time(until)} would be over already: give a time that is to come")
    done, by, why = await store.acts.pause(name, author, until)
    if not done:
        raise RelayError(f"{name}: it is paused already, by {by}: {why}" if by else _disabled(name, why))
    end = f"until {format_time(until)}" if until is not None else f"until `relay sinks resume {name}`"
    return f"{name}: paused {end}; its deliveries wait"


async def resume_sink(store: Store, reader: Reader, name: str, author: Author) -> str:
    """Let deliveries leave for a sink again, whatever kept them back. Returns and raises as `pause_sink`."""
    await _check(reader, name)
    done, why = await store.acts.resume(name, author)
    if not done:
        raise RelayError(_disabled(name, why) if why else f"{name}: it is not paused, and its gate is open")
    return f"{name}: open; what waits leaves now, at its rate"


async def _check(reader: Reader, name: str) -> None:
    names = await reader.registered_sinks()
    if name not in names:
        raise _unknown(name, names)


def _disabled(name: str, why: str) -> str:
    enable = f"relay subscriptions enable {name.removeprefix(SUBSCRIBER)}"
    return f"{name}: its subscription is disabled ({why}), so nothing leaves: `{enable}` lets what waits go on"


def _unknown(name: str, names: "list[str] | dict[str, SinkState]") -> RelayError:
    return RelayError(f"unknown sink {name}, {did_you_mean(name, names)}")
