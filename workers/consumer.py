"""Wait for Celery's broker for as long as it is away or takes no writes, and log that once.

Celery itself logs every attempt, waits for up to half a minute between two, and ends the worker where a server answers
that it has become a replica, or is full.
"""

import time
from typing import Any, ClassVar, Final

from celery.worker import consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection

from relay.broker_transport import Channel as RedisChannel
from relay.logs import log

_PAUSE_SECONDS: Final = 1
_PROBE_MS: Final = 60_000


class Consumer(consumer.Consumer):
    """Celery's consumer, with patience. Its own lines about lost connections are below the level that is logged."""

    _away = False
    running: ClassVar["Consumer | None"] = None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        Consumer.running = self

    def reconnect(self) -> None:
        """Let Celery's loop, once it turns, give up its connection for a new one. Any thread may call it."""
        self.call_soon(_lose_connection)

    def ensure_connected(self, conn: Connection) -> Connection:
        """Wait until the broker can be reached and takes writes."""
        while True:
            conn.ensure_connection(
                lambda error, _: self._note(error),
                interval_start=_PAUSE_SECONDS,
                interval_max=_PAUSE_SECONDS,
                callback=maybe_shutdown,
            )
            self.first_connection_attempt = False
            try:
                _probe(conn.default_channel)
            except (*conn.connection_errors, *conn.channel_errors) as error:
                self._note(error)
                conn.collect()
                _pause()
            else:
                break
        if self._away:
            log.info("broker.back")
        self._away = False
        return conn

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close the connection. Celery calls `ensure_connected` next."""
        self._note(exc)
        super().on_connection_error_after_connected(exc)
        _pause()

    def _note(self, error: BaseException) -> None:
        if not self._away:
            log.warning("broker.away", reason=str(error) or type(error).__name__)
        self._away = True


def _lose_connection() -> None:
    raise ConnectionResetError("it took no bells")


def _probe(channel: Any) -> None:
    """Write something, where the broker is one as the store is. Raises an error of the connection or the channel."""
    if isinstance(channel, RedisChannel):
        channel.client.set("probe", 1, px=_PROBE_MS)


def _pause() -> None:
    """Wait before the next attempt. Raises WorkerShutdown where the worker was asked to end."""
    maybe_shutdown()
    time.sleep(_PAUSE_SECONDS)
    maybe_shutdown()
