"""What the costs are called, and why one grows where it does. Pure."""

from collections.abc import Mapping
from typing import Final

COSTS: Final[Mapping[str, str]] = {
    "web_cpu_us": "web, µs of CPU a hook",
    "worker_cpu_us": "workers, µs of CPU a hook",
    "store_cpu_us": "store, µs of CPU a hook",
    "commands": "store commands a hook",
    "scripts": "scripts a hook",
    "synced_writes": "synced writes a hook",
    "written_bytes": "bytes in the store's file a hook",
    "longest_ms": "longest script, ms",
    "median_script_ms": "a script, median, ms",
    "late_ms": "a lone hook, from POST to arrival, median, ms",
    "plan_us": "planning alone, each condition names a value, µs of CPU a hook",
    "plan_other_events_us": "planning alone, routes for other events, µs of CPU a hook",
    "plan_comparing_us": "planning alone, conditions that only compare, µs of CPU a hook",
    "load_ms": "reading the file, ms of CPU",
    "minute_commands": "store commands to look for problems, once a minute",
    "minute_ms": "CPU to look for problems, once a minute, ms",
    "idle_looks": "looks a second of a worker that sleeps",
    "scrape_commands": "store commands to read all metrics",
    "scrape_ms": "CPU to read all metrics, ms",
    "start_cpu_ms": "starting web and worker, ms of CPU",
    "start_ms": "starting web and worker, ms by the clock",
    "store_mb": "the store's memory, MB",
    "taken_a_second": "hooks taken a second",
    "made_a_second": "deliveries a second",
    "taken_to_loopback": "hooks taken, beside the first step",
    "made_to_loopback": "deliveries, beside the first step",
}

_WORKERS: Final = """
Several workers share what waits: each claims smaller groups, and each looks at the store once a second. That is paid
for by what they do at the same time. Few hooks keep one worker busy, and the others sleep.
"""
_SLOW: Final = """
The same hooks take longer, so there are more of the looks and timers that a worker has every second, and what ends
alone is settled alone.
"""
_COMPARING: Final = """
Each such route is asked: a number above a bound, a pattern, a part of a text have no index. Beside a value that must be
equal (a status, a pipeline, a field) such a comparison costs nothing until that is so.
"""
_LOAD: Final = """
Each route is checked and its templates are compiled, when a process starts and when the file has changed.
"""
_GROUPS: Final = """
Hooks for one sink are claimed and settled together, up to a hundred in a call; where each hook goes to another sink
each has a claim of its own. It ends there: more sinks than hooks cost no more.
"""
_CALLS: Final = """
How many hooks fall into one call depends on when they come: it differs as much from run to run.
"""
_MINUTE: Final = """
Once a minute one worker looks at each sink and each subscriber: what came of its attempts, and whether anything of it
waits, is held or dead. That is two commands for one with nothing, a dozen for another.
"""
_SUBSCRIBED: Final = """
An event is held against the subscriptions of its source, of which amoCRM allows a hundred active ones: a quarter of a
microsecond each. Those of other sources cost nothing.
"""
_SHARDS: Final = """
Each shard is a store of its own: what comes for several is written, claimed and settled in each, so in smaller groups.
What is for a sink whose home is another shard borrows its slots there, a call before and a report after each group.
"""
_OF_EACH: Final = """
A worker looks at every shard, and what is read for people and metrics is read of every one and added up.
"""
_WAITING: Final = """
What waits is in the store with its hook and its content, up to `max_pending` of its sink: from there on only as a hook.
"""
_CACHE: Final = """
The same scripts run the same commands; a million that wait are half a gigabyte, of which less stays in the processor's
cache. Up to a hundred thousand it does not show.
"""
_BODY: Final = """
The body is read, decoded, stored and compressed: it is what a byte costs. How its fields nest is worked out once for
hooks of one shape, up to 1,024 fields (about 100 KB).
"""
_CLOCK: Final = (
    "It is by the clock on the wall, with all that the machine did meanwhile: the CPU of the store is the measure."
)

_CPU: Final = ("web_cpu_us", "worker_cpu_us", "store_cpu_us")
RATES: Final = frozenset({"taken_a_second", "made_a_second", "taken_to_loopback", "made_to_loopback"})  # no costs
_STORE: Final = ("commands", "scripts", "synced_writes", "written_bytes")
_LOOKS: Final = ("minute_commands", "minute_ms")
_SCRAPE: Final = ("scrape_commands", "scrape_ms")
_START: Final = ("start_cpu_ms", "start_ms")

REASONS: Final[Mapping[str, Mapping[str, str]]] = {
    "workers": dict.fromkeys((*_CPU, *_STORE, "late_ms"), _WORKERS) | {"longest_ms": _CLOCK},
    "slow-sinks": dict.fromkeys((*_CPU, *_STORE), _SLOW) | {"longest_ms": _CLOCK},
    "routes": dict.fromkeys(_STORE, _CALLS) | {"plan_comparing_us": _COMPARING, "load_ms": _LOAD, "longest_ms": _CLOCK},
    "sinks": dict.fromkeys((*_CPU, *_STORE, "late_ms"), _GROUPS)
    | dict.fromkeys(_LOOKS, _MINUTE)
    | {"longest_ms": _CLOCK},
    "subscriptions": {"worker_cpu_us": _SUBSCRIBED, "longest_ms": _CLOCK}
    | dict.fromkeys(("store_cpu_us", *_STORE, "late_ms"), _GROUPS)
    | dict.fromkeys(_LOOKS, _MINUTE),
    "waiting": {"store_mb": _WAITING, "longest_ms": _CLOCK, "store_cpu_us": _CACHE},
    "round-trips": {},
    "shards": dict.fromkeys((*_CPU, *_STORE, "late_ms"), _SHARDS)
    | dict.fromkeys(("idle_looks", *_LOOKS, *_SCRAPE, *_START), _OF_EACH)
    | {"longest_ms": _CLOCK},
    "bodies": dict.fromkeys((*_CPU, *_STORE, "late_ms"), _BODY) | {"longest_ms": _CLOCK},
}
