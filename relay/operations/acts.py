"""Do to deliveries what a person asks, and say in a line what came of it."""

from collections.abc import Sequence
from typing import Final

from relay.config.config import Config
from relay.config.suggestions import did_you_mean
from relay.errors import ConfigError
from relay.model import DeliveryState, Record
from relay.operations.planned_today import plan_today
from relay.sinks.registry import make_sinks
from relay.store.acts import Act, Author
from relay.store.keys import account_queue, sink_queue
from relay.store.put_off_rows import PutOffDelivery
from relay.store.reader import Reader
from relay.store.store import Store
from relay.store.wire.acts import ActAnswer

_DONE: Final = {
    Act.RETRY: "due now",
    Act.CANCEL: "cancelled",
    Act.CONFIRM: "delivered",
    Act.RESEND: "will be sent again",
    Act.RENDER: "rendered anew, will be sent under a new key",
    Act.MOVE: "moved",
}
_ALLOWED: Final = {
    Act.RETRY: "only a pending delivery can be made due; `resend` sends one that has ended",
    Act.CANCEL: "only a pending, held or dead delivery can be cancelled",
    Act.CONFIRM: "only a held delivery can be confirmed",
    Act.RESEND: "only a held, dead, cancelled or skipped delivery can be resent",
    Act.RENDER: "only a held, dead, cancelled or skipped delivery can be rendered anew",
    Act.MOVE: "only a pending, held or dead delivery can be moved",
}
_REFUSED: Final = {
    "leased": "it is in flight right now: `relay deliveries show` says what comes of it",
    "ordered": "it waits for another delivery of its `order` key: `relay deliveries show` says for which",
    "due": "it is due already, and leaves as soon as its sink has room",
    "put-off": "it is put off, as its sink is full: until there is room and it is made, it can only be cancelled",
    "asked already": "it is in flight, and cancelling it was asked for already",
    "empty": "it has no content to send: mend the route, then `relay deliveries resend --render` makes one",
    "gone": "there is no such delivery: give a full id of `relay deliveries list`; retention may have removed it",
    "other type": "its content is for a sink of another type",
    "exists": "its event has a delivery to that sink already: `relay events show` lists it",
    "stopped": "the action that it was a part of was stopped before",
    "touched": "the action has done it before",
    "another kind": "it is no delivery but a hook or an event: `relay events show` lists the deliveries of it",
}


class ActResult(Record):
    """What came of an act on one delivery: whether it was done, a line about it, and that as a word.

    The word is "done", "asked", the state that forbids the act, or another reason.
    """

    id: str
    done: bool
    message: str
    result: str


async def act_on_deliveries(store: Store, ids: Sequence[str], act: Act, author: Author) -> list[ActResult]:
    """Do it to each, in order. Raises StoreUnavailable."""
    results = [await act_on_delivery(store, id, act, author) for id in ids]
    gone = {result.id for result in results if result.result == "gone"}
    put_off = await store.put_off.find_all(gone) if gone else {}
    acted = {id: await act_on_put_off(store, one, act, author) for id, one in put_off.items()}
    return [acted.get(result.id, result) for result in results]


async def act_on_delivery(store: Store, id: str, act: Act, author: Author) -> ActResult:
    """Do it to one that is not put off. Raises StoreUnavailable."""
    return _result(id, act, await store.acts.act_on_delivery(id, act, author))


async def act_on_put_off(store: Store, delivery: PutOffDelivery, act: Act, author: Author) -> ActResult:
    """Do it to one that is put off: it may be given up, and nothing else. Raises StoreUnavailable."""
    code = await store.put_off.cancel(delivery, author) if act is Act.CANCEL else "put-off"
    if code == "gone":  # it was made meanwhile, or given up
        return await act_on_delivery(store, delivery.id, act, author)
    message = "cancelled: it was put off, and is not made" if code == "done" else _REFUSED[code]
    return ActResult(id=delivery.id, done=code == "done", message=message, result=code)


class TodaysActs:
    """The acts that take a configuration. Every method raises StoreUnavailable."""

    def __init__(self, store: Store, reader: Reader, config: Config) -> None:
        self._store = store
        self._reader = reader
        self._config = config
        self._sinks = make_sinks(config)

    async def render(self, id: str, author: Author) -> ActResult:
        """Send a delivery with what the configuration makes of its event now."""
        found = await self._reader.deliveries([id])
        if not found or found[0].state in (DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.SHADOWED):
            return (await act_on_deliveries(self._store, [id], Act.RENDER, author))[0]
        planned = await plan_today(self._reader, self._config, self._sinks, found[0], found[0].sink)
        if planned is None:
            message = f"today's routes make no such delivery: `relay explain {found[0].event_id}` says why"
            return ActResult(id=id, done=False, message=message, result="not made today")
        if planned.state is not DeliveryState.PENDING:
            message = f"today's routes cannot render it either: {planned.reason}"
            return ActResult(id=id, done=False, message=message, result="unsendable")
        queue = account_queue(found[0].source) if planned.needs_lookup else sink_queue(planned.sink)
        answer = await self._store.acts.render(id, author, planned, queue, self._config.version)
        return _result(id, Act.RENDER, answer)

    async def move(self, id: str, to: str, author: Author) -> ActResult:
        """Move a delivery that is of no configured sink to one that is. Raises ConfigError where that is none."""
        if to not in self._config.sinks:
            raise ConfigError(f"--to: unknown sink {to}, {did_you_mean(to, self._config.sinks)}")
        found = await self._reader.deliveries([id])
        if not found:
            return (await act_on_deliveries(self._store, [id], Act.MOVE, author))[0]
        if found[0].sink in self._config.sinks:
            message = f"its sink {found[0].sink} is in the configuration: mend it there; what no sink has can be moved"
            return ActResult(id=id, done=False, message=message, result="configured")
        planned = await plan_today(self._reader, self._config, self._sinks, found[0], to)
        answer = await self._store.acts.move(id, author, to, self._config.sinks[to].type, planned)
        return _result(id, Act.MOVE, answer)


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
    return ActResult(id=id, done=done, message=message, result=answer.before if answer.code == "state" else answer.code)
