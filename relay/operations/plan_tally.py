"""Count how what two configurations make of hooks differs, route by route. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, partial
from typing import Final

from relay.config.config import Config
from relay.model import AnyJson, DeliveryState, Receipt, Record
from relay.operations.differences import Difference, compare_json
from relay.operations.plan_arrivals import BEHIND
from relay.operations.plan_side import MadeDelivery
from relay.operations.request_description import describe_by
from relay.sinks.registry import make_sinks

_EXAMPLES: Final = 3  # events of a route for each kind of difference
_Made = Mapping[tuple[str, str, str], MadeDelivery]


class RouteCount(Record):
    """What one configuration makes by a route."""

    sent: int = 0
    skipped: int = 0
    dead: int = 0
    shadowed: int = 0  # by a route that is only tried out
    lookups: int = 0  # of those that are sent: what the account answers decides what, and whether at all
    prevented: int = 0  # by a `once` key that was used
    second: int = 0  # of those that are sent: about an entity for which there was one before
    ordered: int = 0  # of those that are sent: each waits for those of its `order` key that came before
    newer: int = 0  # of those that are sent: where one of its `latest` key waits still, it supersedes that
    unanswered: int = 0  # deliveries that it follows and of which the store has no answer: what it makes is not known
    segments: int = 0  # of text messages
    price: str | None = None  # of these, where the sink has a segment_price


class RouteChange(Record):
    """How a route differs between two configurations."""

    route: str
    before: RouteCount
    after: RouteCount
    more: int  # sent after, and not before
    fewer: int
    changed: int  # sent by both, with another content
    more_of: Sequence[str]  # some of their events
    fewer_of: Sequence[str]
    changed_of: Sequence[str]
    differences: Sequence[Difference]  # of the first content that changed
    replaces: str = ""  # a route that is no longer there, and sent the same events to the same sink
    replaced: int = 0  # how many of these: its `once` keys are not known to this route

    @property
    def is_different(self) -> bool:
        """Return whether anything is not as before."""
        return bool(self.more or self.fewer or self.changed) or self.before != self.after


@dataclass
class _Count:
    """A RouteCount that is being counted."""

    sent: int = 0
    skipped: int = 0
    dead: int = 0
    shadowed: int = 0
    lookups: int = 0
    prevented: int = 0
    second: int = 0
    ordered: int = 0
    newer: int = 0
    unanswered: int = 0
    segments: int = 0
    price: Decimal | None = None

    def add(self, made: MadeDelivery) -> None:
        delivery = made.delivery
        if made.prevented:
            self.prevented += 1
        elif made.is_sent:
            self.sent += 1
            self.lookups += delivery.needs_lookup
            self.second += made.second
            self.ordered += bool(delivery.order)
            self.newer += made.is_newer
            self.segments += made.segments
            self.price = self.price if made.price is None else (self.price or Decimal(0)) + made.price
        elif delivery.state is DeliveryState.SKIPPED:
            self.skipped += 1
        elif delivery.state is DeliveryState.SHADOWED:
            self.shadowed += 1
        else:
            self.dead += 1

    def result(self) -> RouteCount:
        price = None if self.price is None else f"{self.price:.2f}"
        return RouteCount(**{**self.__dict__, "price": price})


@dataclass
class _Route:
    name: str
    before: _Count = field(default_factory=_Count)
    after: _Count = field(default_factory=_Count)
    more: list[str] = field(default_factory=list)
    fewer: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"more": 0, "fewer": 0, "changed": 0})
    differences: Sequence[Difference] = ()
    replaces: str = ""
    replaced: int = 0

    def note(self, kind: str, event_id: str) -> None:
        self.counts[kind] += 1
        examples: list[str] = getattr(self, kind)
        if len(examples) < _EXAMPLES:
            examples.append(event_id.partition(BEHIND)[0])

    def result(self) -> RouteChange:
        return RouteChange(
            route=self.name,
            before=self.before.result(),
            after=self.after.result(),
            **self.counts,
            more_of=self.more,
            fewer_of=self.fewer,
            changed_of=self.changed,
            differences=self.differences,
            replaces=self.replaces,
            replaced=self.replaced,
        )


class PlanTally:
    """Counts what two configurations make, receipt by receipt."""

    def __init__(self, before: Config, after: Config) -> None:
        self.hooks = self.events = 0
        self.oldest: int | None = None
        self.newest: int | None = None
        names = [route.name for config in (after, before) for route in config.routes]
        self._routes = {name: _Route(name) for name in names}
        self._gone = {route.name for route in before.routes} - {route.name for route in after.routes}
        self._new = {route.name for route in after.routes} - {route.name for route in before.routes}
        self._sinks = [cache(partial(make_sinks, config)) for config in (before, after)]  # few plans show a content

    def note_hooks(self, receipts: Sequence[Receipt]) -> None:
        """Note the hooks that follow."""
        times = [receipt.received_at for receipt in receipts]
        self.hooks += len(receipts)
        self.oldest = min([*times, *([] if self.oldest is None else [self.oldest])])
        self.newest = max([*times, *([] if self.newest is None else [self.newest])])

    def add(self, before: Sequence[MadeDelivery], after: Sequence[MadeDelivery], events: int) -> None:
        """Add what both make of a receipt with so many events."""
        self.events += events
        for made in before:
            self._routes[made.delivery.route].before.add(made)
        for made in after:
            self._routes[made.delivery.route].after.add(made)
        sent_before, sent_after = ({one.place: one for one in side if one.is_sent} for side in (before, after))
        self._compare(sent_before, sent_after)
        self._note_replaced(sent_before, sent_after)

    def add_unanswered(self, before: Sequence[str], after: Sequence[str]) -> None:
        """Note of each route that it follows a delivery of which no answer is stored."""
        for route in before:
            self._routes[route].before.unanswered += 1
        for route in after:
            self._routes[route].after.unanswered += 1

    def _compare(self, before: _Made, after: _Made) -> None:
        for place, made in after.items():
            event_id, route, _ = place
            if place not in before:
                self._routes[route].note("more", event_id)
            elif before[place].delivery.content != made.delivery.content:
                self._routes[route].note("changed", event_id)
                if not self._routes[route].differences:
                    self._routes[route].differences = self._differences(before[place], made)
        for event_id, route, sink in before:
            if (event_id, route, sink) not in after:
                self._routes[route].note("fewer", event_id)

    def _differences(self, before: MadeDelivery, after: MadeDelivery) -> list[Difference]:
        contents: list[AnyJson] = [
            describe_by(sinks()[one.delivery.sink], one.delivery.content) if one.delivery.content else None
            for sinks, one in zip(self._sinks, (before, after), strict=True)
        ]
        return compare_json(contents[0], contents[1], "content", exact=True)

    def _note_replaced(self, before: _Made, after: _Made) -> None:
        gone = {(event_id, sink): route for event_id, route, sink in before if route in self._gone}
        for event_id, route, sink in after:
            if gone and route in self._new and (event_id, sink) in gone:
                self._routes[route].replaces = gone[event_id, sink]
                self._routes[route].replaced += 1

    def changes(self) -> list[RouteChange]:
        """Return how each route differs, in the order of the new file, then those that are gone."""
        return [route.result() for route in self._routes.values()]
