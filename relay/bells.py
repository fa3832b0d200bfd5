"""Ring bells: a Celery message says "there is work in this queue", and nothing else.

No message is an event or a retry: all state is in the store, a lost bell is rung again by a ticker, and a doubled one
finds nothing to do. So these settings rather lose a message than block.
"""

import asyncio
import threading
import time
from collections.abc import Iterable
from typing import Any

from celery import Celery
from kombu import Producer, Queue

from relay import broker_transport
from relay.config.store_address import broker_options
from relay.errors import StoreUnavailable
from relay.logs import log
from relay.store.keys import INBOX, JOBS
from relay.store.store import Store

ROUTE, DRAIN, RUN_JOBS = "relay.route", "relay.drain", "relay.jobs"
PUBLISH_SECONDS = 3
REPEAT_SECONDS = 1  # a publish that failed later than this has cost its thread enough time


def broker_settings(url: str, namespace: str) -> dict[str, Any]:
    """Return the Celery settings that web and workers share."""
    broker_transport.register()
    address, tls = broker_options(url)
    return {
        "broker_url": address,
        **tls,
        # Few queues: a consumer names each of them on every BRPOP.
        "task_queues": [Queue("route"), Queue("drain")],
        "task_routes": {ROUTE: {"queue": "route"}, RUN_JOBS: {"queue": "route"}, DRAIN: {"queue": "drain"}},
        "task_default_queue": "route",
        # Otherwise messages to a mistyped queue would be lost without an error.
        "task_create_missing_queues": False,
        "task_ignore_result": True,
        "result_backend": None,
        # A bell that cannot be published is rung again by a ticker.
        "task_publish_retry": False,
        "broker_connection_timeout": PUBLISH_SECONDS,
        "broker_transport_options": {
            "visibility_timeout": 120,
            "unacked_restore_interval": 5,
            # One Redis list for each queue instead of four.
            "priority_steps": [0],
            # Without it a publish to a dead peer hangs for ever.
            "socket_timeout": 10,
            "socket_connect_timeout": PUBLISH_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "global_keyprefix": f"{namespace}:",
        },
    }


class Ringer:
    """Publishes bells that a script has set. One that cannot be published is cleared, so that it can be set again."""

    def __init__(self, app: Celery, store: Store) -> None:
        self._app = app
        self._store = store
        self._publishing = threading.Lock()  # kombu's producer is not thread-safe

    async def ring(self, queues: Iterable[str]) -> list[str]:
        """Publish a message for each queue. Returns those that could not be published. Never raises."""
        failed = []
        for queue in queues:
            try:
                await asyncio.to_thread(self._publish_or_repeat, queue)
            except Exception as error:  # noqa: BLE001  whatever the broker's client raises, a ticker will ring
                log.warning("bell.failed", queue=queue, error=type(error).__name__)
                failed.append(queue)
                await self._clear(queue)
        return failed

    def _publish_or_repeat(self, queue: str) -> None:
        """Publish; where a connection was lost, or led to a server that is a replica now, once more over a new one."""
        with self._publishing, self._app.producer_or_acquire() as producer:
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
        if queue == INBOX:
            self._app.send_task(ROUTE, producer=producer)
        elif queue == JOBS:
            self._app.send_task(RUN_JOBS, producer=producer)
        else:
            self._app.send_task(DRAIN, args=(queue,), producer=producer)

    async def _clear(self, queue: str) -> None:
        try:
            await self._store.clear_bell(queue)
        except StoreUnavailable:
            log.warning("bell.stuck", queue=queue)  # it expires in seconds
