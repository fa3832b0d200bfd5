"""Metrics for Prometheus. All of it is counted in the store, so any web process can answer for all processes."""

from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.accounts.source_health import SourceHealth
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.operations.problems import Problem, ProblemState, read_problems
from relay.store.fields import Counter
from relay.store.histograms import ATTEMPT, BUCKETS, END_TO_END, bucket_counts
from relay.store.keys import account_queue
from relay.store.queues import AccountState, SinkState
from relay.store.reader import Reader
from relay.web.store_monitor import StoreMonitor

Counters: TypeAlias = dict[tuple[str, ...], int]
"""Kind and labels of a counter -> its value."""

_COUNTERS = {
    Counter.RECEIPT: ("relay_receipts", "Hooks by what became of them", ("source", "state")),
    Counter.REFUSED: ("relay_hooks_refused", "Hooks that got no receipt, by why", ("source", "reason")),
    Counter.EVENT: ("relay_events", "Events by name", ("source", "event")),
    Counter.DELIVERY: ("relay_deliveries", "Deliveries by the states they reached", ("sink", "state")),
    Counter.ATTEMPT: ("relay_attempts", "Attempts by outcome", ("sink", "outcome")),
    Counter.CLOSED: ("relay_gate_closed", "Times a sink's gate was closed because it is broken", ("sink",)),
    Counter.BYTES: ("relay_received_bytes", "Bytes of hooks stored", ("source",)),
}
_HISTOGRAMS = {
    ATTEMPT: ("relay_attempt_seconds", "How long an attempt takes"),
    END_TO_END: ("relay_end_to_end_seconds", "From a hook's arrival to its delivery"),
}
_SINK_GAUGES: Sequence[tuple[str, str, Callable[[SinkState, int], float]]] = (
    ("relay_sink_waiting", "Deliveries that wait", lambda sink, _: sink.waiting),
    ("relay_sink_in_flight", "Deliveries being sent", lambda sink, _: sink.in_flight),
    ("relay_sink_held", "Deliveries a person must decide about", lambda sink, _: sink.held),
    ("relay_sink_dead", "Dead letters", lambda sink, _: sink.dead),
    ("relay_sink_put_off", "Deliveries to be made when the sink has room", lambda sink, _: sink.put_off),
    (
        "relay_sink_fill_ratio",
        "Part of max_pending that is pending; over 1 where more is put off",
        lambda sink, _: sink.fill,
    ),
    (
        "relay_sink_oldest_due_seconds",
        "For how long the oldest has been due",
        lambda sink, _: (sink.oldest_due_ms or 0) / 1000,
    ),
    (
        "relay_sink_oldest_pending_seconds",
        "Since the hook of the oldest unfinished delivery arrived",
        lambda sink, _: (sink.oldest_pending_ms or 0) / 1000,
    ),
    (
        "relay_sink_failure_ratio",
        "Share of the attempts of the last hour that failed",
        lambda sink, _: sink.outcomes.share,
    ),
    ("relay_sink_recent_attempts", "Attempts of the last hour", lambda sink, _: sink.outcomes.attempts),
    (
        "relay_sink_failing_seconds",
        "For how long nothing that was tried has been delivered",
        lambda sink, now: _seconds_since(sink.failing_since, now),
    ),
    ("relay_sink_gate_closed", "1 while the sink is blocked or paused", lambda sink, now: int(sink.gate.closed(now))),
    (
        "relay_sink_breaker_open",
        "1 while the breaker keeps it closed: too many attempts failed",
        lambda sink, _: sink.gate.breaker,
    ),
    ("relay_sink_paused", "1 while a person, or a disabled subscription, pauses it", lambda sink, _: sink.gate.paused),
)


_ACCOUNT_GAUGES: Sequence[tuple[str, str, Callable[[AccountState, int], float]]] = (
    (
        "relay_account_failing_seconds",
        "For how long no look-up has succeeded",
        lambda account, now: _seconds_since(account.failing_since, now),
    ),
    (
        "relay_account_gate_closed",
        "1 while the account refuses look-ups",
        lambda account, now: int(account.gate.closed(now)),
    ),
)


def _seconds_since(since: int | None, now: int) -> float:
    return 0 if since is None else max(now - since, 0) / 1000


def metrics(reader: Reader, live: LiveConfig, monitor: StoreMonitor) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint that answers with the metrics as Prometheus text, 503 while the store is away."""

    async def answer(_: Request) -> Response:
        try:
            text = await _render_metrics(reader, live, monitor)
        except StoreUnavailable as error:
            return JSONResponse({"error": str(error)}, 503)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return answer


async def _render_metrics(reader: Reader, live: LiveConfig, monitor: StoreMonitor) -> bytes:
    counters, now = await reader.counters(), await reader.now()
    accounts = await reader.accounts(live.config.sources_with_api)
    families = [
        *_counter_metrics(counters),
        *_histograms(counters),
        *_sink_gauges(await reader.sinks(), now),
        *_account_gauges(accounts, now),
        _queue_gauge(await _queue_depths(reader, accounts)),
        *_source_gauges(monitor.sources),
        _share_gauge(monitor.fills),
        _gauge("relay_workers", "Workers that live", await reader.workers()),
        _config_info(live.config.version),
        _problem_gauge(await read_problems(reader, live.config, live.error)),
    ]
    registry = CollectorRegistry()
    registry.register(_FixedCollector(families))
    return generate_latest(registry)


class _FixedCollector(Collector):
    """Metrics that were collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counter_metrics(counters: Counters) -> Iterator[Metric]:
    for kind, (name, help, labels) in _COUNTERS.items():
        family = CounterMetricFamily(name, help, labels=labels)
        for key, value in sorted(counters.items()):
            if key[0] == kind and len(key) == len(labels) + 1:
                family.add_metric(key[1:], value)
        yield family


def _histograms(counters: Counters) -> Iterator[Metric]:
    for measure, (name, help) in _HISTOGRAMS.items():
        family = HistogramMetricFamily(name, help, labels=["sink"])
        for sink in sorted({key[1] for key in counters if key[0] == measure}):
            buckets, total = [], 0
            for end, count in zip([*map(str, BUCKETS), "+Inf"], bucket_counts(counters, measure, sink), strict=True):
                total += count
                buckets.append((end, total))
            family.add_metric([sink], buckets, counters.get((f"{measure}_ms", sink), 0) / 1000)
        yield family


def _sink_gauges(sinks: Sequence[SinkState], now: int) -> Iterator[Metric]:
    for name, help, value in _SINK_GAUGES:
        family = GaugeMetricFamily(name, help, labels=["sink"])
        for sink in sinks:
            family.add_metric([sink.name], value(sink, now))
        yield family


def _account_gauges(accounts: Sequence[AccountState], now: int) -> Iterator[Metric]:
    for name, help, value in _ACCOUNT_GAUGES:
        family = GaugeMetricFamily(name, help, labels=["source"])
        for account in accounts:
            family.add_metric([account.source], value(account, now))
        yield family


async def _queue_depths(reader: Reader, accounts: Iterable[AccountState]) -> Mapping[str, tuple[int, int]]:
    """Return how many wait and how many are leased in every queue that is not a sink's."""
    of_accounts = {account_queue(one.source): (one.waiting, one.in_flight) for one in accounts}
    return {"inbox": await reader.inbox(), "jobs": await reader.jobs(), **of_accounts}


def _queue_gauge(depths: Mapping[str, tuple[int, int]]) -> Metric:
    family = GaugeMetricFamily("relay_queue_depth", "What waits and what is in work", labels=["queue", "state"])
    for queue, (waiting, leased) in depths.items():
        family.add_metric([queue, "waiting"], waiting)
        family.add_metric([queue, "leased"], leased)
    return family


def _share_gauge(fills: Mapping[str, float]) -> Metric:
    help = "Part of its share of the store that a source takes; at 1 its hooks get 503"
    family = GaugeMetricFamily("relay_source_share_ratio", help, labels=["source"])
    for name, fill in fills.items():
        family.add_metric([name], fill)
    return family


def _source_gauges(sources: Mapping[str, SourceHealth]) -> Iterator[Metric]:
    silent = GaugeMetricFamily(
        "relay_source_silent", "1 while a source is silent against its rhythm", labels=["source"]
    )
    disabled = GaugeMetricFamily("relay_source_hook_disabled", "1 while amoCRM sends nothing", labels=["source"])
    last = GaugeMetricFamily("relay_source_last_received_seconds", "When it last sent, epoch", labels=["source"])
    for name, health in sources.items():
        silent.add_metric([name], int(health.silent))
        disabled.add_metric([name], int(health.hook == "disabled"))
        if health.last_hook_at is not None:
            last.add_metric([name], health.last_hook_at / 1000)
    yield from (silent, disabled, last)


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help, value)


def _problem_gauge(problems: Iterable[Problem]) -> Metric:
    """Count the problems that `relay problems list` shows: what is muted is left out, so an alert ends, too."""
    help = "Open problems that are not muted, by kind and grade"
    family = GaugeMetricFamily("relay_problems", help, labels=["kind", "grade"])
    counted = Tally((one.kind, one.grade) for one in problems if one.state is not ProblemState.MUTED)
    for labels, count in sorted(counted.items()):
        family.add_metric(labels, count)
    return family


def _config_info(version: str) -> Metric:
    family = GaugeMetricFamily("relay_config_info", "The configuration in force", labels=["version"])
    family.add_metric([version], 1)
    return family
