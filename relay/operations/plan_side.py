"""One configuration of a plan: what it makes of hooks, one after the other in the order of their arrival. Pure."""

from collections.abc import Collection, Sequence
from decimal import Decimal

from relay.config.config import Config
from relay.facts.body import delivery_of_fact
from relay.model import DeliveryState, NewDelivery, Receipt, Record, RoutedReceipt
from relay.operations.plan_arrivals import FollowedDelivery
from relay.planning import plan_receipts
from relay.sinks.registry import make_sinks, text_message_types
from relay.sinks.sms.content import read_content
from relay.sinks.sms.segments import count_segments


class MadeDelivery(Record):
    """A delivery that a configuration makes of an event, or that its `once` key prevents."""

    delivery: NewDelivery
    about: str  # the source and the entity of its event; "" where it has none
    prevented: bool = False  # its `once` key was used
    second: bool = False  # made, although there is one of this route for this sink about the same entity
    is_newer: bool = False  # one of its `latest` key was made before: where that waits still, this one supersedes it
    segments: int = 0  # of a text message
    price: Decimal | None = None

    @property
    def is_sent(self) -> bool:
        """Return whether it is sent, not skipped, dead or prevented."""
        return not self.prevented and self.delivery.state is DeliveryState.PENDING

    @property
    def place(self) -> tuple[str, str, str]:
        """Return what tells it apart in any configuration: event, route and sink."""
        return self.delivery.event_id, self.delivery.route, self.delivery.sink


class PlanSide:
    """A configuration, and what it has made so far."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sinks = make_sinks(config)
        self._of_texts = {name for name, sink in config.sinks.items() if sink.type in text_message_types()}
        self._used_before: dict[str, bool] = {}  # ids of `once` deliveries: whether they were made before the hooks
        self._used: dict[str, DeliveryState] = {}
        self._about: set[tuple[str, str, str]] = set()
        self._latest: set[tuple[str, str]] = set()  # sinks and `latest` keys of which there was a delivery
        self._followers = config.followers
        self._followed: dict[str, str] = {}  # deliveries that were sent of routes which others follow -> their events

    def plan(self, receipts: Sequence[Receipt]) -> list[RoutedReceipt]:
        """Plan receipts, as a worker does."""
        return plan_receipts(receipts, self._config, self._sinks)

    def unknown_once(self, planned: Sequence[RoutedReceipt]) -> list[str]:
        """Return the ids of `once` deliveries of which it is not known whether they were made before."""
        ids = {one.id for receipt in planned for one in receipt.deliveries if one.once}
        return sorted(ids - self._used_before.keys())

    def learn_once(self, ids: Collection[str], used: Collection[str]) -> None:
        """Note which of these ids were made before the hooks of the plan."""
        self._used_before |= {id: id in used for id in ids}

    def made(self, planned: RoutedReceipt) -> list[MadeDelivery]:
        """Return what is made of a receipt, after all those before it."""
        about = {
            f"{planned.receipt.id}.{event.index}": f"{planned.receipt.source} {event.entity} {event.entity_id}"
            for event in planned.events
            if event.entity_id
        }
        return [self._made(delivery, about.get(delivery.event_id, "")) for delivery in planned.deliveries]

    def arrivals(self, hook: Receipt, planned: RoutedReceipt, made: Sequence[MadeDelivery]) -> list[FollowedDelivery]:
        """Return what is sent of routes that others follow, of what was made of a receipt."""
        if not self._followers or not made:
            return []
        events = {f"{hook.id}.{event.index}": event for event in planned.events}
        sent = [one.delivery for one in made if one.is_sent and one.delivery.route in self._followers]
        self._followed |= {one.id: one.event_id for one in sent}
        return [
            FollowedDelivery(
                delivery=one, hook=hook, event=events[one.event_id], sink_type=self._config.sinks[one.sink].type
            )
            for one in sent
        ]

    def follows(self, fact: Receipt, planned: Collection[str]) -> bool:
        """Return whether what follows a fact is made: its delivery is sent, or of a hook that is not planned."""
        hook = fact.original_id.partition(".")[0]
        return hook not in planned or self._followed.get(delivery_of_fact(fact)) == fact.original_id

    def followers_of(self, route: str) -> Sequence[str]:
        """Return the routes that follow one."""
        return self._followers.get(route, ())

    def _made(self, delivery: NewDelivery, about: str) -> MadeDelivery:
        if delivery.once and self._is_used(delivery.id):
            return MadeDelivery(delivery=delivery, about=about, prevented=True)
        if delivery.once:
            self._used[delivery.id] = delivery.state
        segments, price = self._text(delivery)
        second = delivery.state is DeliveryState.PENDING and self._is_second(delivery, about)
        return MadeDelivery(
            delivery=delivery,
            about=about,
            second=second,
            is_newer=self._is_newer(delivery),
            segments=segments,
            price=price,
        )

    def _is_used(self, id: str) -> bool:
        """Return whether a `once` key was used. One that was skipped had nobody to deliver to: it counts as free."""
        return self._used_before[id] or self._used.get(id, DeliveryState.SKIPPED) is not DeliveryState.SKIPPED

    def _is_second(self, delivery: NewDelivery, about: str) -> bool:
        place = delivery.route, delivery.sink, about
        if not about or place not in self._about:
            self._about.add(place)
            return False
        return True

    def _is_newer(self, delivery: NewDelivery) -> bool:
        key = delivery.sink, delivery.latest
        is_newer = bool(delivery.latest) and key in self._latest
        self._latest.add(key)
        return is_newer

    def _text(self, delivery: NewDelivery) -> tuple[int, Decimal | None]:
        if delivery.sink not in self._of_texts or not delivery.content or delivery.state is not DeliveryState.PENDING:
            return 0, None
        segments = count_segments(read_content(delivery.content).text)
        price: Decimal | None = getattr(self._config.sinks[delivery.sink], "segment_price", None)
        return segments, None if price is None else price * segments
