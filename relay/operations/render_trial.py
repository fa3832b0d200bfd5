"""Try what today's routes make of deliveries, of some and not for long, before a bulk action renders them all."""

import time
from typing import Final

from relay.config.config import Config
from relay.model import DeliveryState
from relay.operations.planned_today import plan_today
from relay.sinks.registry import make_sinks
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery

MOST_TRIED: Final = 500


class RenderTrial:
    """Tries deliveries until it has tried enough, or the monotonic clock is at `deadline`; `untried`: those after."""

    def __init__(self, reader: Reader, config: Config, deadline: float, most: int = MOST_TRIED) -> None:
        self._reader = reader
        self._config = config
        self._sinks = make_sinks(config)
        self._deadline = deadline
        self._left = most
        self.untried = 0

    async def obstacle(self, delivery: StoredDelivery) -> str:
        """Return why it cannot be rendered today, in the words of the act; empty where it can, or was not tried.

        Raises StoreUnavailable.
        """
        if not self._left or time.monotonic() > self._deadline:
            self.untried += 1
            return ""
        self._left -= 1
        planned = await plan_today(self._reader, self._config, self._sinks, delivery, delivery.sink)
        if planned is None:
            return "not made today"
        return "" if planned.state is DeliveryState.PENDING else "unsendable"
