"""Connect Celery to its broker in Redis so that connections which the server has closed are found out before use."""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import MasterDownError, ReadOnlyError
from redis.maint_notifications import MaintNotificationsConfig


class Channel(redis.Channel):
    """A channel whose pools look at a connection before they lend it."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]  # not in kombu's stubs
        # While it listens for these, redis-py takes a connection that the server has closed for a good one.
        return {**parameters, "maint_notifications_config": MaintNotificationsConfig(enabled=False)}


class Transport(redis.Transport):
    """kombu's transport over Redis; a server that is a replica now is one whose connection is lost."""

    Channel = Channel
    connection_errors = (*redis.Transport.connection_errors, ReadOnlyError, MasterDownError)


def register() -> None:
    """Make it kombu's transport for addresses of Redis."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:{Transport.__name__}"))
