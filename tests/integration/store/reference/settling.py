"""What attempts and look-ups come to."""

from collections.abc import Sequence

from relay.model import Breaker, CompletedLookup, Delivery, DeliveryState, Outcome
from relay.store.records import Settlement
from tests.integration.store.reference import gates, keyed
from tests.integration.store.reference.state import DeliveryModel, State

FAILED = ("retry", "unknown", "rejected", "blocked")
UNWELL, WELL = ("retry", "unknown"), ("delivered", "rejected")
DOWN = ("retry", "unknown", "blocked")


def settle(
    state: State,
    queue: str,
    counted: str,
    items: Sequence[Settlement],
    breaker: Breaker | None = None,
    in_vain: bool = False,
    begun: Sequence[Delivery] = (),
) -> list[str]:
    """Write what attempts came to. Returns "settled", "stale" or "gone" for each."""
    gates.read(state, queue)
    for one in begun:
        if one.id in state.deliveries and state.deliveries[one.id].token == one.token:
            state.queues[queue].ahead.pop(one.id, None)
    writer = Writer(state, queue, counted, breaker, in_vain)
    answers = [writer.settle(item) for item in items]
    writer.finish()
    return answers


class Writer:
    """Writes the items of one call."""

    def __init__(self, state: State, queue: str, counted: str, breaker: Breaker | None, in_vain: bool) -> None:
        self.state, self.queue, self.counted, self.breaker, self.in_vain = state, queue, counted, breaker, in_vain
        self.due_again: dict[str, int] = {}
        self.good = self.failed = self.well = self.unwell = 0
        self.last: Settlement | None = None  # of those that failed

    def settle(self, item: Settlement) -> str:
        state, id = self.state, item.delivery.id
        delivery = state.deliveries.get(id)
        if delivery is None:
            return "gone"
        holds_lease = delivery.state == "pending" and delivery.token == item.delivery.token
        if not holds_lease and any(attempt == item.attempt for _, attempt, _ in state.stories[id]):
            return "settled"  # the answer was lost, and the worker repeats it
        self._count(item)
        if holds_lease:
            self._take_out(id, delivery)
            self._write(item, delivery)
            if delivery.state == "held":
                state.write_fact("delivery_held", delivery.id)
            self._update_gates(item, delivery)
            return "settled"
        if item.outcome is Outcome.DELIVERED and delivery.state != "delivered":
            places = (self.due_again, state.queues[delivery.waits_in].due, state.ordered[delivery.sink])
            waits = any(id in place for place in places)
            if delivery.state == "pending" and not waits:
                delivery.reported = True
                return "stale"
            self._take_out(id, delivery)
            state.deliver(delivery)
            return "settled"
        if delivery.state == "held" and delivery.marked_by == item.delivery.token:
            delivery.state = "pending"
            self._write(item, delivery)
            return "settled"
        return "stale"

    def _take_out(self, id: str, delivery: DeliveryModel) -> None:
        self.due_again.pop(id, None)
        self.state.queues[delivery.waits_in].due.pop(id, None)
        self.state.queues[delivery.waits_in].leased.pop(id, None)
        self.state.ordered[delivery.sink].pop(id, None)

    def _count(self, item: Settlement) -> None:
        append_attempt(self.state, item)
        outcome = item.outcome
        self.state.count("attempt", self.counted, outcome)
        self.good += outcome == "delivered"
        self.failed += outcome in FAILED or (outcome != "delivered" and self.in_vain)
        self.well += item.counted and outcome in WELL
        if item.counted and outcome in UNWELL:
            self.unwell += 1
            self.last = item

    def _write(self, item: Settlement, delivery: DeliveryModel) -> None:
        state, decision, reported = self.state, item.decision, delivery.reported
        to = decision.state
        if reported:
            to = DeliveryState.DELIVERED
        elif delivery.cancel and to is DeliveryState.PENDING:
            to = DeliveryState.CANCELLED
        delivery.attempts += decision.consumed
        delivery.token = ""
        waits_for_sink = to is DeliveryState.PENDING and item.outcome in DOWN
        delivery.down = state.now + decision.asked_ms if waits_for_sink else 0
        if reported or not decision.keeps_mark:
            delivery.sent_at, delivery.marked_by, delivery.reported = 0, "", False
        if to is DeliveryState.PENDING:
            delivery.died = delivery.alone = 0
            at = state.now + decision.delay_ms
            if delivery.keyed:
                keyed.wait(state, delivery, at)
            else:
                self.due_again[item.delivery.id] = at
        elif to is DeliveryState.HELD:
            delivery.state, delivery.listed_at = to, state.now
            state.pass_turn(delivery.sink, delivery.order)
            state.count("delivery", delivery.sink, to)
        else:
            state.end(delivery, to)

    def _update_gates(self, item: Settlement, delivery: DeliveryModel) -> None:
        state, queue, id, decision = self.state, self.queue, item.delivery.id, item.decision
        closes = None if not decision.gate_ms else delivery.route if decision.gate_scope == "route" else ""
        for route in ("", delivery.route):
            if closes != route:
                gates.end_trial(state, queue, route, id, item.outcome, self.breaker, decision.asked_ms)
        if closes is not None:
            opened = state.openings[gates.openings_of(queue, closes)]
            delivery.blocked = delivery.blocked or f"{opened}|{closes}"
            gates.close(state, queue, closes, id, decision.gate_ms, decision.gate_sure)

    def finish(self) -> None:
        state = self.state
        _count_row(state, self.counted, self.good, self.failed)
        asked_ms = self.last.decision.asked_ms if self.last else 0
        tripped = gates.watch(state, self.queue, self.breaker, self.well, self.unwell, asked_ms)
        if tripped and self.last:  # so that there is a trial
            id, due = self.last.delivery.id, state.queues[self.queue].due
            times = self.due_again if id in self.due_again else due
            if id in times:
                times[id] = state.now + asked_ms
        for id, at in self.due_again.items():
            state.queues[state.deliveries[id].waits_in].due[id] = at


def append_attempt(state: State, item: Settlement) -> None:
    """Append to a story; attempts in a row that cost none become one entry, the last."""
    story = state.stories[item.delivery.id]
    before, attempt, times = story[-1] if story else ("", b"", 0)  # without an attempt it is what a person did
    if not item.decision.consumed and attempt and before == item.outcome:
        story[-1] = (item.outcome, item.attempt, times + 1)
    else:
        story.append((item.outcome, item.attempt, 1))


def _count_row(state: State, name: str, good: int, failed: int) -> None:
    if good:
        state.rows.pop(name, None)
    elif failed:
        since, row = state.rows.get(name, (state.now, 0))
        state.rows[name] = since, row + failed


def complete_lookups(state: State, queue: str, items: Sequence[CompletedLookup]) -> list[str]:
    """Move deliveries whose look-up is answered to their sinks' queues, or end them. Returns those of stale tokens."""
    gates.read(state, queue)
    stale = []
    for item in items:
        id, delivery = item.delivery.id, state.deliveries.get(item.delivery.id)
        if delivery is None or delivery.token != item.delivery.token or delivery.state != "pending":
            stale.append(id)
            continue
        waiting = state.queues[delivery.waits_in]
        waiting.due.pop(id, None)
        waiting.leased.pop(id, None)
        state.ordered[delivery.sink].pop(id, None)
        delivery.queue = delivery.token = delivery.blocked = ""
        delivery.died = delivery.alone = 0
        delivery.content = item.content
        if delivery.reported:  # an earlier attempt has delivered it
            state.deliver(delivery)
        elif delivery.cancel or item.state is not DeliveryState.PENDING:
            state.end(delivery, "cancelled" if delivery.cancel else item.state)
        else:
            keyed.wait(state, delivery, state.now)
        gates.end_trial(state, queue, "", id, "completed")
    _count_row(state, queue, len(items) - len(stale), 0)
    return stale
