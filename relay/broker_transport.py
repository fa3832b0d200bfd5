"""Connect Celery to its broker in Redis.

Connections which the server has closed are found out before use, and a message that is none ends no worker.
"""

from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import MasterDownError, ReadOnlyError
from redis.maint_notifications import MaintNotificationsConfig

from relay.logs import log


class Channel(redis.Channel):
    """A channel whose pools look at a connection before they lend it."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]  # not in kombu's stubs
        # While it listens for these, redis-py takes a connection that the server has closed for a good one.
        return {**parameters, "maint_notifications_config": MaintNotificationsConfig(enabled=False)}

    def _brpop_read(self, **options: Any) -> Any:
        """Take a message. One that is no JSON, or not kombu's, is left out: Celery would end the worker by it."""
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # not in kombu's stubs
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # Taken from the list already; had it been a bell, a ticker begins the work.
            log.warning("broker.unreadable", error=type(error).__name__)
            raise Empty from None


class Transport(redis.Transport):
    """kombu's transport over Redis; a server that is a replica now is one whose connection is lost."""

    Channel = Channel
    connection_errors = (*redis.Transport.connection_errors, ReadOnlyError, MasterDownError)


class SentinelChannel(Channel, redis.SentinelChannel):
    """Such a channel, which asks Sentinels where its server is."""


class SentinelTransport(Transport, redis.SentinelTransport):
    """Such a transport, over Sentinels."""

    default_port = redis.SentinelTransport.default_port
    Channel = SentinelChannel


def register() -> None:
    """Make it kombu's transport for addresses of Redis and of Sentinels."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:{Transport.__name__}"))
    TRANSPORT_ALIASES["sentinel"] = f"{__name__}:{SentinelTransport.__name__}"
