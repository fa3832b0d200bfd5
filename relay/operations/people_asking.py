"""Ask the sinks that were sent something of a person to forget them: as deliveries, with their own retries. Pure."""

from collections.abc import Collection, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from relay.amocrm.events import encode_event
from relay.model import ERASURE, DeliveryState, Event, NewDelivery, Record, Subscription, is_subscriber
from relay.operations.people_erasure import Speaking
from relay.operations.people_events import PersonMatch
from relay.operations.people_keys import PeopleKey
from relay.routing import delivery_id
from relay.sinks.base import Sink
from relay.store.fields import DeliveryField
from relay.store.packing import DeliveryRecords, ReceiptRecords

_ENTITIES = ("contact", "lead")


class Asking(Record):
    """The deliveries that ask, and those earlier ones whose sinks cannot be asked."""

    deliveries: Sequence[NewDelivery]
    not_asked: Sequence[str]


class SinkAsker:
    """Makes the deliveries of one erasure. `subscriptions`: by the name of their sink.

    `allowed_events`: those that subscribers may be sent; None: any.
    """

    def __init__(
        self,
        action: str,
        sinks: Mapping[str, Sink],
        subscriptions: Mapping[str, Subscription],
        key: PeopleKey,
        match: PersonMatch,
        allowed_events: Collection[str] | None = None,
    ) -> None:
        self._action = action
        self._sinks = sinks
        self._subscriptions = subscriptions
        self._key = key
        self._match = match
        self._allowed_events = allowed_events

    def ask(self, records: ReceiptRecords, speaking: Speaking) -> Asking:
        """Return who is asked because of a receipt: each sink once for a person, whatever it was sent."""
        found: dict[str, NewDelivery] = {}
        not_asked: list[str] = []
        for id, one in speaking.deliveries.items():
            if not _may_have_arrived(one):
                continue
            made = self._delivery(records, speaking, one)
            if made is None:
                not_asked.append(id)
            else:
                found[made.id] = made
        return Asking(deliveries=list(found.values()), not_asked=not_asked)

    def _delivery(self, records: ReceiptRecords, speaking: Speaking, delivery: DeliveryRecords) -> NewDelivery | None:
        fields = delivery.fields
        sink, event_id = (fields[name.encode()].decode() for name in (DeliveryField.SINK, DeliveryField.EVENT))
        content = records.contents.get(fields[DeliveryField.CONTENT.encode()].decode(), b"")
        event = speaking.events.get(event_id.rpartition(".")[2])
        asked = self._of_subscriber(sink, event) if is_subscriber(sink) else self._of_sink(sink, content)
        if asked is None:
            return None
        whom = self._key.hash_text(f"{self._action} {asked.decode(errors='replace')}")
        # `once`: another hook of the same person asks no second time.
        return NewDelivery(
            id=delivery_id(whom, ERASURE, sink), event_id=event_id, route=ERASURE, sink=sink, once=True, content=asked
        )

    def _of_sink(self, name: str, content: bytes) -> bytes | None:
        sink = self._sinks.get(name)
        if sink is None or not content:
            return None
        try:
            return sink.erasure(content)
        except msgspec.MsgspecError:  # of a sink of another type that had this name
            return None

    def _of_subscriber(self, name: str, event: Event | None) -> bytes | None:
        """Return that a contact or lead was deleted, for an application that subscribed to such events."""
        subscription = self._subscriptions.get(name)
        if subscription is None or event is None or event.entity not in _ENTITIES:
            return None
        deleted = f"delete_{event.entity}"
        is_theirs = self._match.is_own(event)
        if not is_theirs or deleted not in subscription.events:
            return None
        if self._allowed_events is not None and deleted not in self._allowed_events:
            return None  # the operator has said which events may go out
        return encode_event(replace(event, name=deleted, action="delete", data={"id": event.entity_id}))


def _may_have_arrived(delivery: DeliveryRecords) -> bool:
    fields = delivery.fields
    state = fields[DeliveryField.STATE.encode()].decode()
    if state in (DeliveryState.SHADOWED, DeliveryState.SKIPPED):
        return False
    tried = int(fields.get(DeliveryField.ATTEMPTS.encode(), b"0")) > 0
    return state == DeliveryState.DELIVERED or tried or DeliveryField.SENDS.encode() in fields
