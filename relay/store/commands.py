"""Run the client's commands, and turn its errors into the relay's own."""

from collections.abc import Awaitable
from typing import Any

from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
    TryAgainError,
)

from relay.errors import StoreRefused, StoreUnavailable

_UNAVAILABLE = (
    ConnectionError,  # includes BusyLoadingError
    TimeoutError,
    OutOfMemoryError,
    ReadOnlyError,
    ClusterDownError,
    AskError,
    TryAgainError,
)
_UNAVAILABLE_CODES = ("MISCONF", "OOM", "MASTERDOWN", "NOREPLICAS", "LOADING", "READONLY", "BUSY")


async def run_command(command: Awaitable[Any]) -> Any:
    """Await a command, pipeline or script.

    Raises StoreUnavailable where the store does not answer or cannot take it now, and StoreRefused for every other
    error that it answers: whatever it was, nobody knows that it was done.
    """
    try:
        return await command
    except RedisError as error:
        text = _explain(error)
        if isinstance(error, _UNAVAILABLE) or text.startswith(_UNAVAILABLE_CODES):
            raise StoreUnavailable(f"the store cannot take it: {text}") from error
        raise StoreRefused(f"the store refuses it: {text}") from error


def _explain(error: RedisError) -> str:
    if isinstance(error, TryAgainError) or (isinstance(error, AskError) and not isinstance(error, MovedError)):
        # Its scripts find their keys as they run, and may not reach half of them.
        return "its slot is being moved key by key: wait until that has ended, or move it by CLUSTER MIGRATESLOTS"
    return str(error) or type(error).__name__
