"""See to the parts of bulk actions in other shards: the first shard's part begins them, and ends last."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from relay.errors import StoreUnavailable
from relay.store.actions import Actions, ActionState, StoredAction

ANSWER_SECONDS: Final = 1.0  # of a shard: the other jobs of the first one wait behind this
WAIT_MS: Final = 5_000  # until it is looked again whether the parts have ended
T = TypeVar("T")


class ActionParts:
    """`others`: the actions of the further shards, by name, as this process knows them now."""

    def __init__(self, actions: Actions, others: Callable[[], Mapping[str, Actions]]) -> None:
        self._actions = actions
        self._others = others

    async def begin(self, action: StoredAction) -> None:
        """Start the parts that have no row yet: whoever started the action was killed, or their shards were away."""
        others = self._others()
        for shard in action.shards[1:]:
            if shard not in action.begun and shard in others:
                await _in_time(self._actions.begin_part(action, shard, others[shard]))

    async def waits(self, action: StoredAction) -> str:
        """Return for which parts an action waits before it ends, in words; empty where all have ended."""
        others = self._others()
        waits = [await self._why(action, shard, others.get(shard)) for shard in action.shards[1:]]
        return "; ".join(filter(None, waits))

    async def _why(self, action: StoredAction, shard: str, there: Actions | None) -> str:
        found = None if there is None else await _in_time(there.read([action.id]))
        if found is None:
            return f"shard {shard} is away"
        if not found:  # retention removes what has ended
            return "" if shard in action.begun else f"it has not begun in shard {shard}"
        return f"it has not ended in shard {shard}" if found[0].state in _OPEN else ""


async def _in_time(call: Awaitable[T]) -> T | None:
    """Return what a shard answers; None where it is away."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await call
    except (TimeoutError, StoreUnavailable):
        return None


_OPEN: Final = (ActionState.RUNNING, ActionState.PAUSED)
