"""Plan what today's configuration makes of an event that was routed before."""

import asyncio
from collections.abc import Mapping

from relay.config.config import Config
from relay.model import NewDelivery
from relay.planning import plan_receipt
from relay.routing import is_shadow_id
from relay.sinks.base import Sink
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery


async def plan_today(
    reader: Reader, config: Config, sinks: Mapping[str, Sink], delivery: StoredDelivery, sink: str
) -> NewDelivery | None:
    """Return what a delivery's event and route make for a sink now; None where they make nothing for it.

    `sinks` are those of the configuration. Raises StoreUnavailable.
    """
    id, _, index = delivery.event_id.partition(".")
    if any(index in stored.erased for stored in await reader.receipts([id])):
        return None  # what would be sent is "erased"
    receipt = await reader.raw_receipt(id)
    # In a thread: a worker's loop has calls to answer meanwhile.
    made = [] if receipt is None else (await asyncio.to_thread(plan_receipt, receipt, config, sinks)).deliveries
    places = ((one.event_id, one.route, one.sink, is_shadow_id(one.id)) for one in made)
    wanted = (delivery.event_id, delivery.route, sink, is_shadow_id(delivery.id))
    return next((one for one, place in zip(made, places, strict=True) if place == wanted), None)
