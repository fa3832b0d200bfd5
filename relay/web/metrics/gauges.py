"""Gauges for Prometheus: how the queues, the sinks, the accounts, the sources and the store stand now."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric

from relay import __version__
from relay.accounts.source_health import SourceHealth
from relay.operations.examination import Examination, ShardReading
from relay.operations.problems import Problem, ProblemState
from relay.store.keys import account_queue
from relay.store.queues import AccountState, SinkState

T = TypeVar("T")
_Gauges: TypeAlias = Sequence[tuple[str, str, Callable[[T, int], float]]]
"""Name, help and value of gauges of one thing, the value as of a time."""

_SINK: _Gauges[SinkState] = (
    (
        "relay_sink_fill_ratio",
        "Part of max_pending that is pending; over 1 where more is put off",
        lambda sink, _: sink.fill,
    ),
    (
        "relay_sink_oldest_due_age_seconds",
        "For how long the oldest that may leave has been due; 0 where none is",
        lambda sink, _: _seconds(sink.oldest_due_ms),
    ),
    (
        "relay_sink_oldest_pending_age_seconds",
        "Since the hook of the oldest unfinished delivery arrived; 0 where there is none",
        lambda sink, _: _seconds(sink.oldest_pending_ms),
    ),
    (
        "relay_sink_failure_ratio",
        "Part of the attempts of the last hour that failed",
        lambda sink, _: sink.outcomes.share,
    ),
    (
        "relay_sink_recent_attempts",
        "Attempts of the last hour that succeeded or failed",
        lambda sink, _: sink.outcomes.attempts,
    ),
    (
        "relay_sink_failing_seconds",
        "For how long nothing that was tried has been delivered",
        lambda sink, now: _seconds_since(sink.failing_since, now),
    ),
    (
        "relay_sink_gate_closed",
        "1 while answers, the breaker or a pause keep the sink's gate closed",
        lambda sink, now: int(sink.gate.closed(now)),
    ),
    (
        "relay_sink_breaker_open",
        "1 while the breaker keeps it closed: too many attempts failed",
        lambda sink, _: int(sink.gate.breaker),
    ),
    (
        "relay_sink_paused",
        "1 while a person, or a disabled subscription, pauses it",
        lambda sink, _: int(sink.gate.paused),
    ),
)
_ACCOUNT: _Gauges[AccountState] = (
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
_SOURCE: _Gauges[SourceHealth] = (
    (
        "relay_source_silent",
        "1 while a source is silent for longer than its rhythm allows",
        lambda health, _: int(health.silent),
    ),
    (
        "relay_source_hook_disabled",
        "1 while amoCRM has disabled the hook and sends nothing",
        lambda health, _: int(health.hook == "disabled"),
    ),
)
_SINK_STATES: Mapping[str, Callable[[SinkState], int]] = {
    "waiting": lambda sink: sink.waiting,
    "in_flight": lambda sink: sink.in_flight,
    "held": lambda sink: sink.held,
    "dead": lambda sink: sink.dead,
    "put_off": lambda sink: sink.put_off,
}


def _seconds(ms: int | None) -> float:
    return (ms or 0) / 1000


def _seconds_since(since: int | None, now: int) -> float:
    return 0 if since is None else max(now - since, 0) / 1000


def sink_metrics(sinks: Iterable[SinkState], now: int) -> Iterator[Metric]:
    """Return how every sink stands."""
    named = {sink.name: sink for sink in sinks}
    help = "Deliveries that are not finished, and dead letters; put_off: to be made when the sink has room"
    deliveries = GaugeMetricFamily("relay_sink_deliveries", help, labels=["sink", "state"])
    for name, sink in named.items():
        for state, count in _SINK_STATES.items():
            deliveries.add_metric([name, state], count(sink))
    yield deliveries
    yield from _gauges(_SINK, "sink", named, now)


def account_metrics(accounts: Iterable[AccountState], now: int) -> Iterator[Metric]:
    """Return how look-ups in every account stand."""
    yield from _gauges(_ACCOUNT, "source", {account.source: account for account in accounts}, now)


def source_metrics(
    sources: Mapping[str, SourceHealth | None], fills: Mapping[str, float], now: int
) -> Iterator[Metric]:
    """Return how every source stands: those with an api that a worker has checked, and all that have a share."""
    known = {name: health for name, health in sources.items() if health is not None}
    yield from _gauges(_SOURCE, "source", known, now)
    help = "When a source last sent a hook, in seconds since the epoch"
    last = GaugeMetricFamily("relay_source_last_hook_timestamp_seconds", help, labels=["source"])
    for name, health in known.items():
        if health.last_hook_at is not None:
            last.add_metric([name], health.last_hook_at / 1000)
    yield last
    help = "Part of its share of the store that a source takes; at 1 its hooks get 503"
    shares = GaugeMetricFamily("relay_source_share_ratio", help, labels=["source"])
    for name, fill in fills.items():
        shares.add_metric([name], fill)
    yield shares


def _gauges(gauges: _Gauges[T], label: str, things: Mapping[str, T], now: int) -> Iterator[Metric]:
    for name, help, value in gauges:
        family = GaugeMetricFamily(name, help, labels=[label])
        for thing, state in things.items():
            family.add_metric([thing], value(state, now))
        yield family


def queue_metrics(
    found: Examination, inbox: tuple[int, int], jobs: tuple[int, int], accounts: Iterable[AccountState]
) -> Iterator[Metric]:
    """Return how full the queues are that no sink has, and since when the oldest of each has been due."""
    accounts = list(accounts)
    of_accounts = {account_queue(one.source): (one.waiting, one.in_flight) for one in accounts}
    help = "What waits in a queue that is no sink's, and what is in work"
    depth = GaugeMetricFamily("relay_queue_depth", help, labels=["queue", "state"])
    for queue, (waiting, in_flight) in {"inbox": inbox, "jobs": jobs, **of_accounts}.items():
        depth.add_metric([queue, "waiting"], waiting)
        depth.add_metric([queue, "in_flight"], in_flight)
    yield depth
    help = "For how long the oldest in a queue has been due; 0 where none is"
    age = GaugeMetricFamily("relay_queue_oldest_due_age_seconds", help, labels=["queue"])
    age.add_metric(["inbox"], _seconds(found.oldest_unrouted_ms))
    for account in accounts:
        age.add_metric([account_queue(account.source)], _seconds(account.oldest_due_ms))
    yield age


def store_metrics(found: Examination) -> Iterator[Metric]:
    """Return how full the store is, as far as it may be read, and what it holds."""
    if (memory := found.memory) is not None:
        yield GaugeMetricFamily("relay_store_used_bytes", "Memory that the store uses", memory.used)
        yield GaugeMetricFamily("relay_store_limit_bytes", "Its maxmemory; 0 where it has none", memory.limit)
        help = "Part of its maxmemory that is used, 0 where it has none; from 0.85 on hooks get 503"
        yield GaugeMetricFamily("relay_store_used_ratio", help, memory.used / memory.limit if memory.limit else 0)
    yield from _shard_metrics(found.shards)
    if (dead := found.dead_letters) is not None:
        yield GaugeMetricFamily("relay_store_receipts", "Receipts that are kept", dead.hooks)
        help = "Receipts of those that are kept longer, for a dead letter or because they are quarantined"
        yield GaugeMetricFamily("relay_store_dead_receipts", help, dead.count)


def _shard_metrics(shards: Iterable[ShardReading]) -> Iterator[Metric]:
    """Return how the further shards stand; none where there is one store."""
    up = GaugeMetricFamily("relay_shard_up", "1 while the store of a further shard answers", labels=["shard"])
    help = "Part of its maxmemory that a further shard's node uses, 0 where it has none; from 0.85 on hooks get 503"
    used = GaugeMetricFamily("relay_shard_used_ratio", help, labels=["shard"])
    for shard in shards:
        up.add_metric([shard.name], int(not shard.failure))
        if shard.memory is not None:
            used.add_metric([shard.name], shard.memory.used / shard.memory.limit if shard.memory.limit else 0)
    yield from (up, used)


def process_metrics(found: Examination, config: str) -> Iterator[Metric]:
    """Return how many workers live, and what the process that answers runs with."""
    yield GaugeMetricFamily("relay_workers", "Workers that were seen within five seconds", found.workers)
    stalls = "Parts of workers that stood still within the last hour, so that their workers were ended"
    yield GaugeMetricFamily("relay_recent_worker_stalls", stalls, len(found.stalls))
    for name, help, version in (
        ("relay_config_info", "The configuration in force in the process that answers", config),
        ("relay_build_info", "The version of the process that answers", __version__),
    ):
        info = GaugeMetricFamily(name, help, labels=["version"])
        info.add_metric([version], 1)
        yield info


def problem_metrics(problems: Iterable[Problem]) -> Iterator[Metric]:
    """Count the problems that `relay problems list` shows: what is muted is left out, so an alert ends, too."""
    help = "Open problems that are not muted, by kind and grade"
    family = GaugeMetricFamily("relay_problems", help, labels=["kind", "grade"])
    counted = Tally((one.kind, one.grade) for one in problems if one.state is not ProblemState.MUTED)
    for labels, count in sorted(counted.items()):
        family.add_metric(labels, count)
    yield family
