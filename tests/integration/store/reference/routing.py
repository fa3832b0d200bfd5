"""Receipts become events and deliveries, once or again."""

from collections.abc import Sequence

from relay.model import DeliveryState, NewDelivery, ReceiptState, RoutedReceipt
from relay.store.records import HANDED
from tests.integration.store.reference import keyed
from tests.integration.store.reference.state import DeliveryModel, ReceiptModel, State


def save_routed(state: State, token: str, parts: Sequence[RoutedReceipt]) -> list[str]:
    """Write what became of receipts. Returns those that the token does not hold any more."""
    inbox, stale = state.queues["inbox"], []
    for part in parts:
        id = part.receipt.id
        receipt = state.receipts.get(id)
        if receipt is None or id not in inbox.leased or (receipt.token or HANDED) != token:
            stale.append(id)
            continue
        made, _ = _save_part(state, receipt, part)
        receipt.open += made - part.last
        if part.last:
            del inbox.leased[id]
            receipt.died = receipt.alone = 0
            receipt.token = ""
            _enter_state(state, receipt, part.state)
        if receipt.open <= 0:
            state.finish(id)
    _place_keyed(state)
    return stale


def replay(state: State, part: RoutedReceipt) -> tuple[str, int]:
    """Route a receipt again. Returns what came of it, and how many deliveries were made."""
    id = part.receipt.id
    if id not in state.receipts:
        return "gone", 0
    receipt = state.receipts[id]
    if receipt.state == "accepted":
        return "waits", 0
    opened, made = _save_part(state, receipt, part)
    receipt.open += opened
    if part.last:
        if receipt.state == ReceiptState.QUARANTINED:
            receipt.dead = max(receipt.dead - 1, 0)
        receipt.died = receipt.alone = 0
        _enter_state(state, receipt, part.state)
    state.unfinish(id)
    if receipt.open <= 0:
        state.finish(id)
    _place_keyed(state)
    return "done", made


def _place_keyed(state: State) -> None:
    made, state.placing = state.placing, []
    keyed.place(state, made)


def _enter_state(state: State, receipt: ReceiptModel, to: ReceiptState) -> None:
    receipt.state = to
    receipt.dead += to is ReceiptState.QUARANTINED  # kept as long as a dead letter is
    state.count("receipt", receipt.source, to)


def _save_part(state: State, receipt: ReceiptModel, part: RoutedReceipt) -> tuple[int, int]:
    """Return how many deliveries are open that were made, and how many were made."""
    for event in part.events:
        if event.index not in receipt.events:
            state.count("event", receipt.source, event.name)
        receipt.events.add(event.index)
    made = [new for new in part.deliveries if not _find_or_list(state, receipt, new)]
    return sum(new.state is DeliveryState.PENDING for new in made), len(made)


def _find_or_list(state: State, receipt: ReceiptModel, new: NewDelivery) -> bool:
    """Return whether a delivery is there already; where it is not it is made."""
    listed = new.id in receipt.deliveries
    exists = _once_exists(state, new) if new.once else listed
    if not (exists and listed):
        receipt.deliveries[new.id] = int(new.event_id.partition(".")[2])
    if not exists:
        _create(state, receipt, new)
    return exists


def _once_exists(state: State, new: NewDelivery) -> bool:
    """One that was skipped had nobody to deliver to: another event may take its place."""
    before = state.deliveries.get(new.id)
    if before is None:
        return new.id in state.once
    if before.state != "skipped" or before.event == new.event_id:
        return True
    del state.deliveries[new.id]
    return False


def _create(state: State, receipt: ReceiptModel, new: NewDelivery) -> None:
    delivery = DeliveryModel(
        id=new.id,
        receipt=new.event_id.partition(".")[0],
        event=new.event_id,
        route=new.route,
        sink=new.sink,
        once=new.once,
        state=new.state,
        accepted_at=receipt.known.at,
        content=new.content,
        order=new.order if new.state is DeliveryState.PENDING else "",
        latest=new.latest if new.state is DeliveryState.PENDING else "",
    )
    state.deliveries[new.id] = delivery
    state.count("delivery", new.sink, "created")
    state.count("route", new.route, new.state)
    if new.state is DeliveryState.PENDING:
        delivery.queue = f"account:{receipt.source}" if new.needs_lookup else ""
        if delivery.keyed:
            state.placing.append(delivery)
        else:
            state.queues[delivery.waits_in].due[new.id] = state.now
    else:
        delivery.finished_at = state.now
        state.count_ended(delivery)
