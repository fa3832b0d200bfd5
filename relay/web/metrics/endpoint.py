"""Metrics for Prometheus. All of it is counted in the store, so any web process can answer for all processes."""

from collections.abc import Awaitable, Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.operations.examination import Examination, examine
from relay.operations.problems import diagnose_all, list_problems
from relay.store.reader import Reader
from relay.web.metrics.counted import counter_metrics, histogram_metrics
from relay.web.metrics.gauges import (
    account_metrics,
    problem_metrics,
    process_metrics,
    queue_metrics,
    sink_metrics,
    source_metrics,
    store_metrics,
)

_NEEDED = ("workers", "inbox", "sinks", "accounts")
"""Readings of the examination without which a metric would be wrong, or missing as if there were nothing."""


def metrics(reader: Reader, live: LiveConfig) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint that answers with the metrics as Prometheus text, 503 while the store is away."""

    async def answer(_: Request) -> Response:
        try:
            families = await read_metrics(reader, live)
        except StoreUnavailable as error:
            return JSONResponse({"error": str(error)}, 503)
        registry = CollectorRegistry()
        registry.register(_FixedCollector(families))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return answer


async def read_metrics(reader: Reader, live: LiveConfig) -> list[Metric]:
    """Read all metrics. How many commands that takes depends on sinks and sources, never on deliveries.

    Raises StoreUnavailable.
    """
    config = live.config
    found, now = _whole(await examine(reader, config.sources_with_api))
    counters, problems = await reader.counters(), await list_problems(reader, diagnose_all(found, config, live.error))
    accounts = await reader.accounts(config.sources_with_api)
    families: Iterator[Iterable[Metric]] = iter(
        (
            counter_metrics(counters, config.sources, (sink.name for sink in found.sinks)),
            histogram_metrics(counters),
            sink_metrics(found.sinks, now),
            account_metrics(accounts, now),
            source_metrics(found.sources, found.fills, now),
            queue_metrics(found, await reader.inbox(), await reader.jobs(), accounts),
            store_metrics(found),
            process_metrics(found, config.version),
            problem_metrics(problems),
        )
    )
    return [metric for some in families for metric in some]


def _whole(found: Examination) -> tuple[Examination, int]:
    """Return an examination that has what metrics need, and its time. Raises StoreUnavailable."""
    missing = [found.failures[reading] for reading in _NEEDED if reading in found.failures]
    if found.now is None or missing:
        raise StoreUnavailable(*(missing or found.failures.values()))
    return found, found.now


class _FixedCollector(Collector):
    """Metrics that were collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
