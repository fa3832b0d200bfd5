"""Run the client's commands, and turn its errors into the relay's own."""

from collections.abc import Awaitable
from typing import Any

from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
    TryAgainError,
)

from relay.errors import StoreUnavailable

_UNAVAILABLE = (
    ConnectionError,  # includes BusyLoadingError
    TimeoutError,
    OutOfMemoryError,
    ReadOnlyError,
    ClusterDownError,
    TryAgainError,
)
_UNAVAILABLE_CODES = ("MISCONF", "OOM", "MASTERDOWN", "NOREPLICAS", "LOADING", "READONLY", "BUSY")


async def run_command(command: Awaitable[Any]) -> Any:
    """Await a command, pipeline or script. Raises StoreUnavailable where the store does not answer or cannot take it.

    Any other error of the client is a defect of the relay, and is raised as it is.
    """
    try:
        return await command
    except RedisError as error:
        text = str(error)
        if not isinstance(error, _UNAVAILABLE) and not text.startswith(_UNAVAILABLE_CODES):
            raise
        raise StoreUnavailable(f"the store cannot take it: {text or type(error).__name__}") from error
