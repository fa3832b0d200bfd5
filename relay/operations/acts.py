"""Do to deliveries what a person asks, and say in a line what came of it."""

from collections.abc import Sequence
from typing import Final

from relay.model import Record
from relay.store.acts import Act, Author
from relay.store.store import Store
from relay.store.wire import ActAnswer

_DONE: Final = {
    Act.RETRY: "due now",
    Act.CANCEL: "cancelled",
    Act.CONFIRM: "delivered",
    Act.RESEND: "will be sent again",
}
_ALLOWED: Final = {
    Act.RETRY: "only a pending delivery can be made due; `resend` sends one that has ended",
    Act.CANCEL: "only a pending, held or dead delivery can be cancelled",
    Act.CONFIRM: "only a held delivery can be confirmed",
    Act.RESEND: "only a held, dead, cancelled or skipped delivery can be resent",
}
_REFUSED: Final = {
    "leased": "it is in flight right now: `relay deliveries show` says what comes of it",
    "due": "it is due already, and leaves as soon as its sink has room",
    "asked already": "it is in flight, and cancelling it was asked for already",
    "empty": "it has no content to send: mend the route, then change its entity in amoCRM, so that a new hook comes",
    "gone": "there is no such delivery: give a full id of `relay deliveries list`; retention may have removed it",
    "another kind": "it is no delivery but a hook or an event: `relay events show` lists the deliveries of it",
}


class ActResult(Record):
    """What came of an act on one delivery: whether it was done, and a line about it."""

    id: str
    done: bool
    message: str


async def act_on_deliveries(store: Store, ids: Sequence[str], act: Act, author: Author) -> list[ActResult]:
    """Do it to each, in order. Raises StoreUnavailable."""
    answers = [await store.acts.act_on_delivery(id, act, author) for id in ids]
    return [_result(id, act, answer) for id, answer in zip(ids, answers, strict=True)]


def _result(id: str, act: Act, answer: ActAnswer) -> ActResult:
    done = answer.code in ("done", "asked")
    if answer.code == "asked":
        message = "it is in flight and may arrive; whatever comes of that, it is not sent again"
    elif done:
        message = _DONE[act] + (f", but its sink is {answer.obstacle}" if answer.obstacle else "")
    elif answer.code == "state":
        message = f"it is {answer.before}: {_ALLOWED[act]}"
    else:
        message = _REFUSED[answer.code]
    return ActResult(id=id, done=done, message=message)
