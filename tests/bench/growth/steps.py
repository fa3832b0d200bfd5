"""What is measured as work grows: of one thing more and more, of all else as before."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from relay.config.load import load
from relay.model import Receipt
from relay.operations.problems import read_problems
from relay.planning import plan_receipts
from relay.sinks.registry import make_sinks, sink_types
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.scripts import Script
from relay.store.store import Store
from relay.web.metrics.endpoint import read_metrics
from tests.bench.growth.files import (
    as_yaml,
    configuration,
    hook,
    routes_by_price,
    routes_by_status,
    routes_of_other_events,
    routes_to_sinks,
)
from tests.bench.growth.measured_relay import MeasuredRelay
from tests.bench.growth.measured_stores import open_reader, shards_of_a_cluster
from tests.bench.growth.player import PlannedHook
from tests.bench.growth.round_trips import measure_round_trips
from tests.bench.growth.waiting import measure_waiting
from tests.bench.stack import BODY, run
from workers.ticker import BUSY_SECONDS

HOOKS: Final = 600
WARM: Final = 100
LONE: Final = 20
A_SECOND: Final = 400
LONE_A_SECOND: Final = 10
MILLION: Final = 1_000_000
PLANNED: Final = 100
SPREAD: Final = 30  # sources
IDLE_SECONDS: Final = 10
OTHER_EVENT: Final = "add_contact"

Costs = dict[str, float]
Make = Callable[[int, float], PlannedHook]  # a hook of its number and its time


class Part(NamedTuple):
    """What grows, in which steps, and how they are measured. `each`: what one more of it is called."""

    title: str
    each: str
    counts: Sequence[float]
    measure: Callable[[Path, Sequence[float]], list[Costs]]


def _hooks(make: Make, first: int, count: int, a_second: float) -> list[PlannedHook]:
    return [make(first + n, n / a_second) for n in range(count)]


def _measure(relay: MeasuredRelay, make: Make, first: int = 1, hooks: int = HOOKS) -> Costs:
    """Warm the relay up, then measure it. Hooks have the numbers from `first` on."""
    relay.measure(_hooks(make, first, WARM, A_SECOND), [make(first + WARM, 0)])
    first += WARM + 1
    lone = _hooks(make, first + hooks, LONE, LONE_A_SECOND)
    return relay.measure(_hooks(make, first, hooks, A_SECOND), lone).rounded()


def _in_turns(logs: Path, counts: Sequence[float], measure: Callable[[ExitStack, Path, int], Costs]) -> list[Costs]:
    """Measure each step with a relay of its own."""
    found = []
    for count in map(int, counts):
        with ExitStack() as stack:
            found.append(measure(stack, logs / str(count), count))
    return found


def _workers(logs: Path, counts: Sequence[float]) -> list[Costs]:
    def measure(stack: ExitStack, folder: Path, count: int) -> Costs:
        return _measure(MeasuredRelay(stack, folder, workers=count), hook)

    return _in_turns(logs, counts, measure)


def _slow_sinks(logs: Path, counts: Sequence[float]) -> list[Costs]:
    def measure(stack: ExitStack, folder: Path, milliseconds: int) -> Costs:
        return _measure(MeasuredRelay(stack, folder, answer_after_ms=milliseconds), hook, hooks=500)

    return _in_turns(logs, counts, measure)


def _routes(logs: Path, counts: Sequence[float]) -> list[Costs]:
    def measure(stack: ExitStack, folder: Path, count: int) -> Costs:
        relay = MeasuredRelay(stack, folder, lambda url: configuration(url, routes=routes_by_status(count)))
        return {**_measure(relay, hook), **_planning(count)}

    return _in_turns(logs, counts, measure)


def _planning(count: int) -> Costs:
    """Plan receipts by so many routes in this process, and load such a file."""
    kinds = {
        "plan_us": routes_by_status(count),
        "plan_other_events_us": routes_of_other_events(count),
        "plan_comparing_us": routes_by_price(count),
    }
    began = time.process_time()
    _load(configuration("http://127.0.0.1/", routes=kinds["plan_us"]))
    loading = (time.process_time() - began) * 1000
    planned = {kind: _plan(configuration("http://127.0.0.1/", routes=routes)) for kind, routes in kinds.items()}
    return {**planned, "load_ms": round(loading, 1)}


def _load(config: dict[str, Any]):
    return load(as_yaml(config), file="relay.yaml", environ={}, sink_types=sink_types())


def _plan(config: dict[str, Any]) -> float:
    """Return the microseconds of CPU that a hook takes to be planned."""
    loaded, form = _load(config), "application/x-www-form-urlencoded"
    sinks, body = make_sinks(loaded), BODY.read_bytes()
    receipts = [Receipt(id=f"r{n}", source="s0", received_at=0, body=body, content_type=form) for n in range(PLANNED)]
    assert all(len(one.deliveries) == 1 for one in plan_receipts(receipts, loaded, sinks))
    began = time.process_time()
    plan_receipts(receipts, loaded, sinks)
    return round((time.process_time() - began) / PLANNED * 1e6, 1)


def _sinks(logs: Path, counts: Sequence[float]) -> list[Costs]:
    def measure(stack: ExitStack, folder: Path, count: int) -> Costs:
        routes = routes_to_sinks(count)
        relay = MeasuredRelay(stack, folder, lambda url: configuration(url, routes=routes, sinks=count))
        costs = _measure(relay, lambda number, at: hook(number, at, status=1000 + number % count))
        return {**costs, **_minute_jobs(relay)}

    return _in_turns(logs, counts, measure)


def _minute_jobs(relay: MeasuredRelay) -> Costs:
    """Look for problems once, as a job does each minute: what it costs the store, and this process."""
    config = _load(relay.config)
    commands, milliseconds = _read_once(relay, lambda reader: read_problems(reader, config))
    return {"minute_commands": commands, "minute_ms": milliseconds}


def _read_once(relay: MeasuredRelay, read: Callable[[Reader], Awaitable[object]]) -> tuple[int, float]:
    """Return how many commands it takes to read something, and how many milliseconds of this process's CPU.

    The relay stands still meanwhile: what it does by itself is not counted.
    """

    async def look() -> float:
        async with open_reader(relay.stores.url, relay.namespace) as reader:
            await reader.now()  # it is connected
            began = time.process_time()
            await read(reader)
            return time.process_time() - began

    with relay.paused([relay.web, *relay.workers]):
        before = relay.stores.costs()
        used = run(look())
        return (relay.stores.costs() - before).commands, round(used * 1000, 1)


def _subscriptions(logs: Path, counts: Sequence[float]) -> list[Costs]:
    """Subscribe more and more: one of each source to the event of the hooks, all others to another event."""
    found, subscribed, first = [], 0, 1
    with ExitStack() as stack:
        relay = MeasuredRelay(stack, logs / "relay", lambda url: configuration(url, routes=_no_routes(), sources=10))
        for count in map(int, counts):
            run(_subscribe(relay, range(subscribed, count)))
            subscribed, sources = count, min(count, 10)
            make = lambda number, at, of=sources: hook(number, at, source=number % of)  # noqa: E731
            found.append({**_measure(relay, make, first), **_minute_jobs(relay)})
            first += 10_000
    return found


def _no_routes() -> dict[str, Any]:
    return {"nothing 0": {"where": {"status_id": 1}}}


async def _subscribe(relay: MeasuredRelay, numbers: Iterable[int]) -> None:
    client = connect(relay.stores.url, answer_seconds=30)
    store = Store(client, relay.namespace)
    for number in numbers:
        event = "status_lead" if number < 10 else OTHER_EVENT
        url = f"{relay.receiver.url}/subscriber/{number}"
        await store.subscriptions.subscribe(f"s{number % 10}", url, [event], "bench")
    await client.aclose()


def _shards(logs: Path, counts: Sequence[float]) -> list[Costs]:
    """Measure a relay on a cluster of three primaries, in so many shards, over which its sources are spread."""

    def measure(stack: ExitStack, folder: Path, count: int) -> Costs:
        relay = MeasuredRelay(
            stack,
            folder,
            lambda url: configuration(url, sources=SPREAD),
            stores=lambda stack, folder, namespace: shards_of_a_cluster(stack, folder, namespace, count),
        )
        costs = _measure(relay, lambda number, at: hook(number, at, source=number % SPREAD))
        return {**costs, **_idle(relay), **_minute_jobs(relay), **_scrape(relay), **relay.start}

    return _in_turns(logs, counts, measure)


def _idle(relay: MeasuredRelay) -> Costs:
    """Count the looks of a worker that has had nothing to do for so long that it sleeps."""
    time.sleep(BUSY_SECONDS + 1)
    relay.stores.reset_slow(0)
    time.sleep(IDLE_SECONDS)
    return {"idle_looks": round(relay.stores.calls_of(Script("look")) / IDLE_SECONDS, 2)}


def _scrape(relay: MeasuredRelay) -> Costs:
    """Read all metrics once."""
    live = SimpleNamespace(config=_load(relay.config), error=None)
    commands, milliseconds = _read_once(relay, lambda reader: read_metrics(reader, live))
    return {"scrape_commands": commands, "scrape_ms": milliseconds}


def _bodies(logs: Path, counts: Sequence[float]) -> list[Costs]:
    with ExitStack() as stack:
        relay = MeasuredRelay(stack, logs / "relay")
        return [
            _measure(relay, lambda number, at, of=size: hook(number, at, size=int(of * 1000)), 1 + at * 10_000, 300)
            for at, size in enumerate(counts)
        ]


PARTS: Final[dict[str, Part]] = {
    "workers": Part("workers", "a worker", (1, 2, 4), _workers),
    "slow-sinks": Part("ms that a sink takes to answer", "a millisecond", (5, 200, 2000), _slow_sinks),
    "routes": Part("routes for one event", "a route", (1, 10, 100, 1000), _routes),
    "sinks": Part("sinks, each hook goes to another", "a sink", (1, 100, 1000), _sinks),
    "subscriptions": Part("subscriptions over ten sources", "a subscription", (1, 10, 100, 1000), _subscriptions),
    "waiting": Part("deliveries that wait", "a delivery", (1, 10, 100, 1000, 10_000, 100_000), measure_waiting),
    "round-trips": Part("ms to the store and back", "a millisecond", (0, 2, 10), measure_round_trips),
    "shards": Part("shards, a primary each", "a shard", (1, 2, 3), _shards),
    "bodies": Part("KB of a hook", "a KB", (1, 10, 100), _bodies),
}
