"""Say of the deliveries of an explanation whether their `once` key is used already."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from relay.model import DeliveryState
from relay.operations.explanation import NOT_MADE, EventExplanation, ExplainedDelivery, Explanation

if TYPE_CHECKING:  # cases have no store
    from relay.store.reader import Reader
    from relay.store.stored import StoredDelivery


async def check_once_keys(reader: "Reader", explanation: Explanation) -> Explanation:
    """Return an explanation with what the store knows of `once` keys. Raises StoreUnavailable."""
    ids = sorted({delivery.id for delivery in explanation.deliveries if delivery.once})
    stored = {delivery.id: delivery for delivery in await reader.deliveries(ids)}
    return note_once_use(explanation, stored, await reader.removed_once([id for id in ids if id not in stored]))


def note_once_use(
    explanation: Explanation, stored: Mapping[str, "StoredDelivery"], removed: Mapping[str, str]
) -> Explanation:
    """Return an explanation with what is known of `once` keys: what is stored, and in which state what was removed."""
    made_here: dict[str, str] = {}  # by which event of this very hook

    def check(event: EventExplanation, delivery: ExplainedDelivery) -> ExplainedDelivery:
        if not delivery.once:
            return delivery
        if delivery.id in made_here:
            return _not_made(delivery, f"used by event {made_here[delivery.id]} of this hook")
        if delivery.state != DeliveryState.SKIPPED:
            made_here[delivery.id] = event.id
        if delivery.id in removed:
            return _not_made(delivery, f"used by a delivery that was {removed[delivery.id]}; retention has removed it")
        return _check_stored(event, delivery, stored.get(delivery.id))

    return explanation.with_changed(check)


def _check_stored(
    event: EventExplanation, delivery: ExplainedDelivery, stored: "StoredDelivery | None"
) -> ExplainedDelivery:
    if stored is None:
        return replace(delivery, note="its `once` key is free")
    if stored.event_id == event.id:
        return replace(delivery, note=f"made already: delivery {stored.id} is {stored.state}")
    use = f"used by delivery {stored.id} of event {stored.event_id}, which is {stored.state}"
    if stored.state is DeliveryState.SKIPPED:  # it had nobody to deliver to
        return replace(delivery, note=f"its `once` key is {use}: this one takes its place")
    return _not_made(delivery, use)


def _not_made(delivery: ExplainedDelivery, use: str) -> ExplainedDelivery:
    reason = f"its `once` key is {use}"
    return replace(delivery, state=NOT_MADE, reason=reason, needs_lookup=False)  # shown is what would be sent


def leave_once_keys_open(explanation: Explanation, why: str) -> Explanation:
    """Return an explanation that says why it is not known whether `once` keys are used."""
    note = f"not known whether its `once` key is used already: {why}"
    return explanation.with_changed(lambda _, delivery: replace(delivery, note=note) if delivery.once else delivery)
