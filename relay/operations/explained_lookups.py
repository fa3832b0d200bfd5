"""Complete an explanation by what the account knows: the requests of routes with `fetch`."""

from collections.abc import Iterator

from msgspec.structs import replace

from relay.accounts.client import AccountClient
from relay.accounts.lookups import fetch_people
from relay.config.config import Config
from relay.model import Delivery, Receipt
from relay.operations.explanation import EventExplanation, ExplainedDelivery, Explanation
from relay.operations.request_description import describe_by
from relay.planning.lookups import complete_lookup, pending_lookups, what_to_fetch
from relay.sinks.registry import make_sinks


async def look_up_requests(
    client: AccountClient, explanation: Explanation, receipt: Receipt, config: Config
) -> Explanation:
    """Ask the account what the routes fetch, and return the explanation with the requests that this makes.

    Raises AccountRefused, AccountUnavailable, StoreUnavailable.
    """
    sinks = make_sinks(config)
    pending, _ = pending_lookups(list(_waiting(explanation, receipt)), {receipt.id: receipt}, config, sinks)
    leads, relations = what_to_fetch(pending)
    people = await fetch_people(client, leads, relations) if leads else {}
    completed = {one.delivery.id: complete_lookup(one, people.get(one.lead)) for one in pending}

    def complete(_: EventExplanation, delivery: ExplainedDelivery) -> ExplainedDelivery:
        if not delivery.needs_lookup or delivery.id not in completed:
            return delivery
        found = completed[delivery.id]
        request = describe_by(sinks[delivery.sink], found.content) if found.content else None
        return replace(delivery, state=found.state, reason=found.reason or "after the look-up", request=request)

    return explanation.with_changed(complete)


def _waiting(explanation: Explanation, receipt: Receipt) -> Iterator[Delivery]:
    """Yield the deliveries that wait for a look-up, as a worker would hold them."""
    for event in explanation.events:
        for route in event.routes:
            for delivery in route.deliveries:
                if delivery.needs_lookup:
                    yield Delivery(
                        id=delivery.id, event_id=event.id, source=receipt.source, route=route.route, sink=delivery.sink,
                        content=b"", accepted_at=receipt.received_at, created_at=receipt.received_at, attempts=0,
                        deaths=0, token="", sending=False,
                    )  # fmt: skip


def leave_lookups_open(explanation: Explanation, why: str) -> Explanation:
    """Return an explanation that says why the account was not asked."""
    return explanation.with_changed(
        lambda _, delivery: replace(delivery, request=f"not shown: {why}") if delivery.needs_lookup else delivery
    )
