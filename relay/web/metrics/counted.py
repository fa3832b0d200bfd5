"""Counters and histograms for Prometheus, of what the store counts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from relay.model import DeliveryState, Outcome, ReceiptState, Record, is_subscriber
from relay.store.fields import Counter
from relay.store.histograms import ATTEMPT, BUCKETS, END_TO_END, bucket_counts
from relay.store.keys import ACCOUNT

Counters: TypeAlias = Mapping[tuple[str, ...], int]
"""Kind and labels of a counter -> its value."""
Labels: TypeAlias = tuple[str, ...]
Values: TypeAlias = dict[Labels, int]
"""The values of a metric's labels -> its value."""

_RECEIPT_STATES = (*ReceiptState, "duplicate", "recovered")
_DELIVERY_STATES = (*(state for state in DeliveryState if state is not DeliveryState.PENDING), "created", "moved")
_DELIVERY_EVENTS = ("put off", "expired")
_BOUNDS = (*map(str, BUCKETS), "+Inf")


class _Family(Record):
    """A counter for Prometheus."""

    name: str
    help: str
    labels: Sequence[str]


_RECEIPTS = _Family(
    name="relay_receipts",
    help="Hooks by what became of them; duplicate: a repetition, which is no receipt; recovered: caught up",
    labels=("source", "state"),
)
_REFUSED = _Family(
    name="relay_hooks_refused",
    help="Hooks that got no receipt, by reason; the source is empty where there is none of that name",
    labels=("source", "reason"),
)
_EVENTS = _Family(name="relay_events", help="Events by amoCRM's name", labels=("source", "event"))
_BYTES = _Family(name="relay_received_bytes", help="Bytes of the hooks that were stored", labels=("source",))
_REMOVED = _Family(name="relay_receipts_removed", help="Receipts that retention removed", labels=("source",))
_ROUTES = _Family(
    name="relay_route_deliveries",
    help="Deliveries that a route made, by the state in which it made them",
    labels=("route", "state"),
)
_DELIVERIES = _Family(
    name="relay_deliveries", help="Deliveries by the states that they reached", labels=("sink", "state")
)
_ATTEMPTS = _Family(name="relay_attempts", help="Attempts by their outcome", labels=("sink", "outcome"))
_POSTPONED = _Family(
    name="relay_lookups_postponed",
    help="Look-ups in the account that have to be made again, by the outcome of the one before",
    labels=("source", "outcome"),
)
_SINK_CLOSED = _Family(
    name="relay_sink_gate_closings", help="How often answers or the breaker closed a sink's gate", labels=("sink",)
)
_ACCOUNT_CLOSED = _Family(
    name="relay_account_gate_closings",
    help="How often an account's answers closed the gate of its look-ups",
    labels=("source",),
)
_HISTOGRAMS = {
    ATTEMPT: ("relay_attempt_duration_seconds", "How long an attempt took"),
    END_TO_END: ("relay_delivery_duration_seconds", "How long it took from a hook's arrival to its delivery"),
}


def counter_metrics(counters: Counters, sources: Iterable[str], sinks: Iterable[str]) -> Iterator[Metric]:
    """Return the counters. What a source or a configured sink has not counted yet is 0: Prometheus sees it grow."""
    configured = [sink for sink in sinks if not is_subscriber(sink)]  # of these there may be thousands
    sources = list(sources)
    attempts, closings = _labelled(counters, Counter.ATTEMPT), _labelled(counters, Counter.CLOSED)
    yield _counter(_RECEIPTS, _pairs(sources, _RECEIPT_STATES) | _labelled(counters, Counter.RECEIPT))
    yield _counter(_REFUSED, _labelled(counters, Counter.REFUSED))
    yield _counter(_EVENTS, _labelled(counters, Counter.EVENT))
    yield _counter(_BYTES, _ones(sources) | _labelled(counters, Counter.BYTES))
    yield _counter(_REMOVED, _ones(sources) | _removed(counters))
    yield _counter(_ROUTES, _routes(counters))
    yield _counter(_DELIVERIES, _deliveries(counters, configured))
    yield _counter(_ATTEMPTS, _pairs(configured, Outcome) | _of_sinks(attempts))
    yield _counter(_POSTPONED, _of_accounts(attempts))
    yield _counter(_SINK_CLOSED, _ones(configured) | _of_sinks(closings))
    yield _counter(_ACCOUNT_CLOSED, _of_accounts(closings))


def _counter(family: _Family, values: Values) -> Metric:
    metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in sorted(values.items()):
        metric.add_metric(labels, value)
    return metric


def _labelled(counters: Counters, kind: str) -> Values:
    return {key[1:]: value for key, value in counters.items() if key[0] == kind}


def _ones(names: Iterable[str]) -> Values:
    return {(name,): 0 for name in names}


def _pairs(names: Iterable[str], others: Iterable[str]) -> Values:
    others = list(others)
    return {(name, str(other)): 0 for name in names for other in others}


def _removed(counters: Counters) -> Values:
    removed = _labelled(counters, Counter.REMOVED)
    return {(source,): value for (source, what), value in removed.items() if what == "receipts"}


def _routes(counters: Counters) -> Values:
    """Return the counters of routes. The name of a route may have a "|" in it."""
    counted = _labelled(counters, Counter.ROUTE)
    return {("|".join(words[:-1]), words[-1]): value for words, value in counted.items()}


def _deliveries(counters: Counters, sinks: Iterable[str]) -> Values:
    values = _pairs(sinks, (*_DELIVERY_STATES, *_DELIVERY_EVENTS)) | _labelled(counters, Counter.DELIVERY)
    return {(sink, state.replace(" ", "_")): value for (sink, state), value in values.items()}


def _of_sinks(values: Values) -> Values:
    return {labels: value for labels, value in values.items() if _account(labels[0]) is None}


def _of_accounts(values: Values) -> Values:
    """Return what is counted of accounts' queues, by their sources."""
    found = ((_account(labels[0]), labels[1:], value) for labels, value in values.items())
    return {(source, *others): value for source, others, value in found if source is not None}


def _account(queue: str) -> str | None:
    """Return the source whose look-ups wait in a queue; None where it is a sink's name."""
    kind, colon, source = queue.partition(":")
    return source if colon and kind == ACCOUNT else None


def histogram_metrics(counters: Counters) -> Iterator[Metric]:
    """Return the histograms, each sink's buckets cumulative as Prometheus wants them."""
    for measure, (name, help) in _HISTOGRAMS.items():
        metric = HistogramMetricFamily(name, help, labels=["sink"])
        for sink in sorted({key[1] for key in counters if key[0] == measure}):
            totals = accumulate(bucket_counts(counters, measure, sink))
            seconds = counters.get((f"{measure}_ms", sink), 0) / 1000
            metric.add_metric([sink], list(zip(_BOUNDS, totals, strict=True)), seconds)
        yield metric
