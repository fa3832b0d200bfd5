"""Plan what today's configuration makes of an event that was routed before."""

from relay.config.config import Config
from relay.model import NewDelivery
from relay.planning import plan_receipt
from relay.sinks.registry import make_sinks
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery


async def plan_today(reader: Reader, config: Config, delivery: StoredDelivery, sink: str) -> NewDelivery | None:
    """Return what a delivery's event and route make for a sink now; None where they make nothing for it.

    Raises StoreUnavailable.
    """
    receipt = await reader.raw_receipt(delivery.event_id.partition(".")[0])
    made = [] if receipt is None else plan_receipt(receipt, config, make_sinks(config)).deliveries
    places = ((one.event_id, one.route, one.sink) for one in made)
    wanted = (delivery.event_id, delivery.route, sink)
    return next((one for one, place in zip(made, places, strict=True) if place == wanted), None)
