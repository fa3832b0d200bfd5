"""Tell Prometheus: everything is counted in the store, so any web process can tell the whole."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.accounts.source_health import SourceHealth
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.store.histograms import ATTEMPT, BUCKETS, END_TO_END, bucket_counts
from relay.store.keys import Counter, account_queue
from relay.store.reader import Reader
from relay.store.stored import SinkState
from relay.web.health import StoreWatch

Counters = dict[tuple[str, ...], int]

_COUNTERS = {
    Counter.RECEIPT: ("relay_receipts", "Hooks by what became of them", ("source", "state")),
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


def metrics(reader: Reader, live: LiveConfig, watch: StoreWatch) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint that answers with the metrics as Prometheus text, 503 while the store is away."""

    async def answer(_: Request) -> Response:
        try:
            text = await _exposition(reader, live.config.version, watch.sources)
        except StoreUnavailable as error:
            return JSONResponse({"error": str(error)}, 503)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return answer


async def _exposition(reader: Reader, config: str, sources: Mapping[str, SourceHealth]) -> bytes:
    families = [
        *_counted(await reader.counters()),
        *_gauges(await reader.sinks(), await reader.now()),
        *_queues({"inbox": await reader.inbox(), "jobs": await reader.jobs(), **await _accounts(reader, sources)}),
        *_heard(sources),
    ]
    info = GaugeMetricFamily("relay_config_info", "The configuration in force", labels=["version"])
    info.add_metric([config], 1)
    registry = CollectorRegistry()
    registry.register(_Once([*families, info]))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counted(counters: Counters) -> Iterator[Metric]:
    for kind, (name, text, labels) in _COUNTERS.items():
        family = CounterMetricFamily(name, text, labels=labels)
        for key, n in sorted(counters.items()):
            if key[0] == kind and len(key) == len(labels) + 1:
                family.add_metric(key[1:], n)
        yield family
    for measure, (name, text) in _HISTOGRAMS.items():
        yield _histogram(counters, measure, name, text)


def _histogram(counters: Counters, measure: str, name: str, text: str) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=["sink"])
    for sink in sorted({key[1] for key in counters if key[0] == measure}):
        buckets, total = [], 0
        for end, count in zip([*map(str, BUCKETS), "+Inf"], bucket_counts(counters, measure, sink), strict=True):
            total += count
            buckets.append((end, total))
        family.add_metric([sink], buckets, counters.get((f"{measure}_ms", sink), 0) / 1000)
    return family


def _gauges(sinks: Iterable[SinkState], now: int) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("relay_sink_waiting", "Deliveries that wait", labels=["sink"])
    in_flight = GaugeMetricFamily("relay_sink_in_flight", "Deliveries being sent", labels=["sink"])
    held = GaugeMetricFamily("relay_sink_held", "Deliveries a person must decide about", labels=["sink"])
    dead = GaugeMetricFamily("relay_sink_dead", "Dead letters", labels=["sink"])
    oldest = GaugeMetricFamily("relay_sink_oldest_due_seconds", "For how long the oldest has been due", labels=["sink"])
    closed = GaugeMetricFamily("relay_sink_gate_closed", "1 while the sink is blocked or paused", labels=["sink"])
    for sink in sinks:
        label = [sink.name]
        waiting.add_metric(label, sink.waiting)
        in_flight.add_metric(label, sink.in_flight)
        held.add_metric(label, sink.held)
        dead.add_metric(label, sink.dead)
        oldest.add_metric(label, (sink.oldest_due_ms or 0) / 1000)
        closed.add_metric(label, int(sink.gate.closed(now)))
    yield from (waiting, in_flight, held, dead, oldest, closed)


async def _accounts(reader: Reader, sources: Mapping[str, SourceHealth]) -> dict[str, tuple[int, int]]:
    return {account_queue(name): await reader.account(name) for name in sources}


def _heard(sources: Mapping[str, SourceHealth]) -> Iterator[Metric]:
    silent = GaugeMetricFamily(
        "relay_source_silent", "1 while a source is silent against its rhythm", labels=["source"]
    )
    disabled = GaugeMetricFamily("relay_source_hook_disabled", "1 while amoCRM sends nothing", labels=["source"])
    last = GaugeMetricFamily("relay_source_last_received_seconds", "When it last sent, epoch", labels=["source"])
    for name, heard in sources.items():
        silent.add_metric([name], int(heard.silent))
        disabled.add_metric([name], int(heard.hook == "disabled"))
        if heard.last_at is not None:
            last.add_metric([name], heard.last_at / 1000)
    yield from (silent, disabled, last)


def _queues(depths: Mapping[str, tuple[int, int]]) -> Iterator[Metric]:
    family = GaugeMetricFamily("relay_queue_depth", "What waits and what is in work", labels=["queue", "state"])
    for queue, (waiting, leased) in depths.items():
        family.add_metric([queue, "waiting"], waiting)
        family.add_metric([queue, "leased"], leased)
    yield family
