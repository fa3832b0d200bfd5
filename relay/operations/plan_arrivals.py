"""Make of stored deliveries what routes on `delivered` would have been told, where no fact of the store tells it."""

from collections.abc import Mapping, Sequence
from typing import Final

from relay.facts.body import CONTENT_TYPE, encode_fact
from relay.facts.kinds import ANSWER, DELIVERED, OWN_SOURCE
from relay.model import Attempt, DeliveryState, NewDelivery, Outcome, Receipt, Record, RoutedEvent
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery

_OPEN: Final = (DeliveryState.PENDING, DeliveryState.HELD)
BEHIND: Final = ">"
"""In the id of what is made here: the event that the delivery is of, and behind this the delivery."""


class FollowedDelivery(Record):
    """A delivery that a configuration sends, whose route others follow: the hook and the event that it is of."""

    delivery: NewDelivery
    hook: Receipt
    event: RoutedEvent
    sink_type: str

    @property
    def id(self) -> str:
        """Return what stands for the receipt that tells of it, where the store has none."""
        return f"{self.delivery.event_id}{BEHIND}{self.delivery.id}"


class ArrivalFacts(Record):
    """What is told of arrivals: receipts by the ids of these; and the ids of those of which no answer is stored."""

    facts: Mapping[str, Receipt]
    unanswered: frozenset[str]


async def read_arrivals(reader: Reader, arrivals: Sequence[FollowedDelivery], planned: frozenset[str]) -> ArrivalFacts:
    """Tell of arrivals, by what became of the stored deliveries. Raises StoreUnavailable.

    `planned`: the receipts that the plan takes from the store: the facts among them tell what they are about. What did
    not arrive, by the store, is not told of.
    """
    by_delivery: dict[str, list[FollowedDelivery]] = {}
    for one in arrivals:
        by_delivery.setdefault(one.delivery.id, []).append(one)
    stored = {one.id: one for one in await reader.deliveries(list(by_delivery))}
    arrived = [one for one in stored.values() if one.state is DeliveryState.DELIVERED and not _is_told(one, planned)]
    stories = await reader.stories([one.id for one in arrived])
    facts = {
        one.id: _fact(one, delivery, stories[delivery.id]) for delivery in arrived for one in by_delivery[delivery.id]
    }
    unanswered = {
        one.id for id, of_delivery in by_delivery.items() for one in of_delivery
        if id not in stored or stored[id].state in _OPEN
    }  # fmt: skip
    return ArrivalFacts(facts=facts, unanswered=frozenset(unanswered))


def _is_told(delivery: StoredDelivery, planned: frozenset[str]) -> bool:
    """Return whether a fact of the plan tells of it, or none may, because the chain is too long."""
    return delivery.led_to == "" or (delivery.led_to or "").partition(".")[0] in planned


def _fact(arrival: FollowedDelivery, stored: StoredDelivery, story: Sequence[Attempt]) -> Receipt:
    """Return the fact as the scripts of the store would have written it."""
    event, at = arrival.event, stored.finished_at or stored.created_at
    delivery = {
        "id": stored.id,
        "event": event.name,
        "event_id": arrival.delivery.event_id,
        "entity": event.entity,
        "entity_id": event.entity_id,
        "source": arrival.hook.source,
        "route": stored.route,
        "sink": stored.sink,
        "state": stored.state,
        "reason": stored.reason,
        "cause": "",
        "attempts": stored.attempts,
    }
    views: dict[str, Mapping[str, object]] = {
        "delivery": delivery,
        "source": {"name": arrival.hook.source},
        "sink": {"name": stored.sink, "type": arrival.sink_type},
        ANSWER: _answer(story),
    }
    return Receipt(
        id=(stored.led_to or arrival.id).removesuffix(".0"),
        source=OWN_SOURCE,
        received_at=at,
        body=encode_fact(DELIVERED, views, at),
        content_type=CONTENT_TYPE,
        original_id=arrival.delivery.event_id,
        original=arrival.hook,
    )


def _answer(story: Sequence[Attempt]) -> dict[str, object]:
    """Return what the sink answered to the attempt that delivered it; empty where a person said so."""
    for one in reversed(story):
        if one.outcome is Outcome.DELIVERED and one.number > 0:
            return {"status": one.status, "text": one.response, "id": one.provider_id}
    return {"status": "", "text": "", "id": ""}
