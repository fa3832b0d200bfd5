"""Which acts a page offers on a delivery, and by what it knows that the delivery has changed since. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from relay.model import DeliveryState
from relay.store.acts import Act
from relay.store.stored import StoredDelivery

_POSSIBLE: Final[Mapping[DeliveryState, Sequence[Act]]] = {
    DeliveryState.PENDING: (Act.RETRY, Act.CANCEL),
    DeliveryState.PUT_OFF: (Act.CANCEL,),
    DeliveryState.HELD: (Act.CONFIRM, Act.RESEND, Act.RENDER, Act.CANCEL),
    DeliveryState.DEAD: (Act.RESEND, Act.RENDER, Act.CANCEL),
    DeliveryState.CANCELLED: (Act.RESEND, Act.RENDER),
    DeliveryState.SKIPPED: (Act.RESEND, Act.RENDER),
}


def possible_acts(delivery: StoredDelivery, *, has_content: bool) -> Sequence[Act]:
    """Return the acts that a delivery allows, the likeliest first. Without a content it cannot be resent as it is."""
    acts = _POSSIBLE.get(delivery.state, ())
    impossible = {Act.RETRY} if delivery.in_flight or delivery.waits_for else set()
    if not has_content:
        impossible.add(Act.RESEND)
    return [act for act in acts if act not in impossible]


def version_of(delivery: StoredDelivery) -> str:
    """Return what changes with a delivery: a form that has seen another one acts on nothing."""
    seen = (delivery.state, delivery.attempts, delivery.generation, delivery.finished_at or "", delivery.sink)
    return "/".join(map(str, seen))


def acts_on_all(states: Iterable[DeliveryState]) -> Sequence[Act]:
    """Return the acts that are possible on any of these states, in one order."""
    possible = {act for state in states for act in _POSSIBLE.get(state, ())}
    return [act for act in (Act.RETRY, Act.RESEND, Act.RENDER, Act.CONFIRM, Act.CANCEL) if act in possible]
