"""Ring bells: a Celery message says "there is work in this queue", and nothing else.

No message is an event or a retry: all state is in the store, what a lost bell was about is found by a ticker, and a
doubled one finds nothing to do. So these settings rather lose a message than block.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from celery import Celery
from kombu import Producer, Queue

from relay import broker_transport
from relay.config.broker_address import broker_options, is_amqp
from relay.errors import StoreUnavailable
from relay.logs import log
from relay.store.keys import INBOX, JOBS
from relay.store.shard_list import FIRST, SHARD_NAME
from relay.store.store import Store

ROUTE, DRAIN, RUN_JOBS = "relay.route", "relay.drain", "relay.jobs"
CONNECT_SECONDS: Final = 3
REPEAT_SECONDS: Final = 1  # a publish that failed later than this has cost its thread enough time
_ASK_SECONDS: Final = 0.5  # for a Sentinel's answer
RING_SECONDS: Final = 1.5  # for all bells of a call
PAUSE_SECONDS: Final = 10.0  # in which no bell is tried, once one could not be published


def broker_settings(url: str, namespace: str) -> dict[str, Any]:
    """Return the Celery settings that web and workers share."""
    broker_transport.register()
    address, settings = broker_options(url)
    own = _AMQP_OPTIONS if is_amqp(url) else _redis_options(namespace)
    return {
        "broker_url": address,
        # Else Celery takes CELERY_BROKER_URL as it is written, which kombu does not read as we do.
        "broker_read_url": address,
        "broker_write_url": address,
        **settings,
        # Few queues: a consumer names each of them on every BRPOP.
        "task_queues": [Queue("route"), Queue("drain")],
        "task_routes": {ROUTE: {"queue": "route"}, RUN_JOBS: {"queue": "route"}, DRAIN: {"queue": "drain"}},
        "task_default_queue": "route",
        # Otherwise messages to a mistyped queue would be lost without an error.
        "task_create_missing_queues": False,
        "task_ignore_result": True,
        "result_backend": None,
        # What a bell was about that cannot be published is found by a ticker.
        "task_publish_retry": False,
        "broker_connection_timeout": CONNECT_SECONDS,
        "broker_transport_options": {**own, **_with_timeouts(settings.get("broker_transport_options", {}))},
    }


_AMQP_OPTIONS: Final = {"read_timeout": 10, "write_timeout": 10}


def _redis_options(namespace: str) -> dict[str, Any]:
    return {
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "polling_interval": 2,  # seconds of a BRPOP; a consumer that ends waits for its answer
        # One Redis list for each queue instead of four.
        "priority_steps": [0],
        # Without it a publish to a dead peer hangs for ever.
        "socket_timeout": 10,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "global_keyprefix": f"{namespace}:",
    }


def _with_timeouts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options for a broker with Sentinels: one that hangs must not hold up the question to the others."""
    if not options:
        return {}
    asked = {"socket_timeout": _ASK_SECONDS, "socket_connect_timeout": _ASK_SECONDS, **options["sentinel_kwargs"]}
    return {**options, "sentinel_kwargs": asked}


def read_bell(name: str) -> tuple[str, str]:
    """Return the shard and the queue that a bell of deliveries names."""
    shard, slash, queue = name.partition("/")
    return (shard, queue) if slash and SHARD_NAME.fullmatch(shard) else (FIRST, name)


class Ringer:
    """Publishes bells that a script has set. One that cannot be published is cleared, so that it can be set again.

    Where the broker does not take them in time, none is tried for a while: the tickers begin the work themselves.
    """

    def __init__(
        self, app: Celery, store: Store, clock: Callable[[], float] = time.monotonic, shard: str = FIRST
    ) -> None:
        self._app = app
        self._shard = shard
        self._store = store
        self._clock = clock
        self._publisher = ThreadPoolExecutor(1, "bells")  # kombu's producer is not thread-safe
        self._paused_until = float("-inf")

    async def ring(self, queues: Iterable[str]) -> bool:
        """Publish a message for each queue. Returns whether all were published. Never raises."""
        waiting = deque(queues)
        if self._clock() >= self._paused_until and (problem := await self._publish_in_time(waiting)):
            log.warning("bell.failed", queues=list(waiting), reason=problem, none_for_seconds=PAUSE_SECONDS)
            self._paused_until = self._clock() + PAUSE_SECONDS
        unpublished = list(waiting)
        waiting.clear()  # a thread that still hangs goes on with none of them
        await self._clear(unpublished)
        return not unpublished

    async def count_waiting(self) -> int:
        """Return how many bells wait at the broker. Raises whatever the broker's client does, and TimeoutError."""
        async with asyncio.timeout(RING_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(self._publisher, self._count_messages)

    def _count_messages(self) -> int:
        with self._app.producer_or_acquire() as producer:
            # As Celery declares them: kombu does not find a queue of Redis by its name alone.
            declared = [
                producer.channel.queue_declare(queue.name, durable=queue.durable, auto_delete=queue.auto_delete)
                for queue in self._app.conf.task_queues
            ]
        return sum(one.message_count for one in declared)

    async def _publish_in_time(self, waiting: deque[str]) -> str:
        """Publish what waits, in a thread. Returns why some of it is left, "" where none is."""
        try:
            async with asyncio.timeout(RING_SECONDS):
                await asyncio.get_running_loop().run_in_executor(self._publisher, self._publish_all, waiting)
        except TimeoutError:
            return f"not published within {RING_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001  whatever the broker's client raises, a ticker begins the work
            return type(error).__name__
        return ""

    def _publish_all(self, waiting: deque[str]) -> None:
        while waiting:
            self._publish_or_repeat(waiting[0])
            if waiting:  # else they were given up on meanwhile
                waiting.popleft()

    def _publish_or_repeat(self, queue: str) -> None:
        """Publish; where a connection was lost, or led to a server that is a replica now, once more over a new one."""
        with self._app.producer_or_acquire() as producer:
            began = time.monotonic()
            try:
                self._publish(queue, producer)
            except Exception:
                if time.monotonic() - began > REPEAT_SECONDS:
                    raise
                connection = producer.connection
                connection.collect()
                producer.revive(connection)
                self._publish(queue, producer)

    def _publish(self, queue: str, producer: Producer) -> None:
        if self._shard != FIRST:
            self._app.send_task(DRAIN, args=(f"{self._shard}/{queue}",), producer=producer)
        elif queue == INBOX:
            self._app.send_task(ROUTE, producer=producer)
        elif queue == JOBS:
            self._app.send_task(RUN_JOBS, producer=producer)
        else:
            self._app.send_task(DRAIN, args=(queue,), producer=producer)

    async def _clear(self, queues: Sequence[str]) -> None:
        if not queues:
            return
        try:
            await self._store.clear_bell(*queues)
        except StoreUnavailable:
            log.warning("bell.stuck", queues=queues)  # they expire in seconds
