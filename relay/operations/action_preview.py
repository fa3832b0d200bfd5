"""Say what a bulk action would do, before it is started: of how many things what would come, and three of them."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from relay.config.config import Config
from relay.model import DeliveryState, NewDelivery, Record
from relay.operations.action_results import DONE
from relay.operations.action_rows import read_delivery_page, read_event_page
from relay.operations.actions import SENDING_KINDS, ActionKind, ActionRequest, bound_request
from relay.operations.render_trial import RenderTrial
from relay.operations.replay import Fate, Replay, ReplayedReceipt, ReplayLimits
from relay.operations.replaying import NOTHING, PROBLEMS, ReplayCount, count_planned
from relay.operations.search import MOST_LISTED, count_rows
from relay.sinks.registry import text_message_types
from relay.store.reader import Reader
from relay.store.stored import StoredDelivery
from relay.store.wire.lists import Cursor

SAMPLES: Final = 3
PREVIEW_SECONDS: Final = 10.0
_FINISHED: Final = (DeliveryState.HELD, DeliveryState.DEAD, DeliveryState.CANCELLED, DeliveryState.SKIPPED)
_ACTED_ON: Final[Mapping[ActionKind, Sequence[DeliveryState]]] = {
    ActionKind.RETRY: (DeliveryState.PENDING,),
    ActionKind.CANCEL: (DeliveryState.PENDING, DeliveryState.PUT_OFF, DeliveryState.HELD, DeliveryState.DEAD),
    ActionKind.CONFIRM: (DeliveryState.HELD,),
    ActionKind.RESEND: _FINISHED,
    ActionKind.RENDER: _FINISHED,
    ActionKind.MOVE: (DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.DEAD),
}


class ActionSample(Record):
    """One of the things that it would be done to."""

    id: str
    sink: str
    about: str  # its route, and its state and why


class ActionPreview(Record):
    """What a bulk action would do."""

    total: int  # rows to look at
    looked: int  # rows looked at for this
    complete: bool  # all were; else the counts are of what was seen in the time there was
    results: Mapping[str, int]  # "done", or why it is left alone: of how many; of a replay by what becomes of each
    receipts: int  # of a replay: hooks
    text_messages: int  # of what would be sent, to sinks that send text messages
    held: int  # of what would be sent, what may have arrived before
    samples: Sequence[ActionSample]
    untried: int = 0  # of what would be rendered: not tried with today's routes, which may not render it

    @property
    def writes(self) -> bool:
        """Return whether there may be anything to do: also that a hook can be read now has no delivery."""
        return bool(self.does) or not self.complete or self.receipts > sum(self.results.get(one, 0) for one in PROBLEMS)

    @property
    def does(self) -> int:
        """Return to how many something would be done."""
        return sum(self.results.get(result, 0) for result in (DONE, Fate.NEW, Fate.AGAIN))


async def preview_action(
    reader: Reader, request: ActionRequest, config: Config | None = None, seconds: float = PREVIEW_SECONDS
) -> ActionPreview:
    """Count what it would do, for so long and no longer, and change nothing.

    Replaying, rendering and moving take the configuration. Raises StoreUnavailable.
    """
    request = bound_request(request, await reader.now())
    total = await count_rows(reader, request.filter, events=request.kind is ActionKind.REPLAY)
    types = await reader.sink_types()
    text_sinks = {name for name, kind in types.items() if kind in text_message_types()}
    deadline = time.monotonic() + seconds
    if request.kind is ActionKind.REPLAY:
        assert config is not None
        return await _preview_replay(reader, request, config, total, text_sinks, deadline)
    trial: RenderTrial | _MoveTrial | None = None
    if request.kind is ActionKind.RENDER:
        assert config is not None
        trial = RenderTrial(reader, config, deadline)
    if request.kind is ActionKind.MOVE:
        assert config is not None
        trial = _MoveTrial(types, config, request.to)
    return await _preview_deliveries(reader, request, total, text_sinks, deadline, trial)


class _MoveTrial:
    """Finds out what would keep deliveries from being moved, as far as that is known before it is tried."""

    untried = 0

    def __init__(self, types: Mapping[str, str], config: Config, to: str) -> None:
        self._types = types
        self._config = config
        self._to = config.sinks[to].type

    async def obstacle(self, delivery: StoredDelivery) -> str:
        """Return why it would be left alone, in the words of the act; empty where nothing is known against it."""
        if delivery.sink in self._config.sinks:
            return "configured"
        return "" if self._types.get(delivery.sink, self._to) == self._to else "other type"


async def _preview_deliveries(
    reader: Reader,
    request: ActionRequest,
    total: int,
    text_sinks: set[str],
    deadline: float,
    trial: RenderTrial | _MoveTrial | None,
) -> ActionPreview:
    results: Counter[str] = Counter()
    samples: list[ActionSample] = []
    looked, texts, held, cursor, complete = 0, 0, 0, None, False
    while not complete and (not looked or time.monotonic() < deadline):
        page = await read_delivery_page(reader, request, cursor, MOST_LISTED)
        empty = await _without_content(reader, request.kind, page.items)
        for one in page.items:
            result = _expected(request.kind, one, empty=one.id in empty)
            if trial is not None and result == DONE:
                result = await trial.obstacle(one) or DONE
            results[result] += 1
            if result != DONE:
                continue
            if request.kind in SENDING_KINDS:
                texts += one.sink in text_sinks
                held += one.state is DeliveryState.HELD
            if len(samples) < SAMPLES:
                about = f"{one.route}, {one.state}" + (f": {one.reason}" if one.reason else "")
                samples.append(ActionSample(id=one.id, sink=one.sink, about=about))
        looked, cursor, complete = looked + page.looked, page.next, page.next is None
    return ActionPreview(
        total=total, looked=looked, complete=complete, results=results, receipts=0, text_messages=texts, held=held,
        samples=samples, untried=trial.untried if trial is not None else 0,
    )  # fmt: skip


async def _without_content(reader: Reader, kind: ActionKind, found: Sequence[StoredDelivery]) -> set[str]:
    """Return those that had no content when they ended, and cannot be sent as they are."""
    if kind is not ActionKind.RESEND:
        return set()
    ended = [one for one in found if one.state in _FINISHED and not one.needs_lookup]
    return await reader.without_content(ended)


def _expected(kind: ActionKind, delivery: StoredDelivery, *, empty: bool) -> str:
    """Return what would come of it, in the words of the script that acts."""
    if delivery.state not in _ACTED_ON[kind]:
        return delivery.state
    if empty:
        return "empty"
    if delivery.in_flight and kind in (ActionKind.RETRY, ActionKind.MOVE):
        return "leased"
    if delivery.waits_for and kind is ActionKind.RETRY:
        return "ordered"
    return DONE


async def _preview_replay(
    reader: Reader, request: ActionRequest, config: Config, total: int, text_sinks: set[str], deadline: float
) -> ActionPreview:
    replay = Replay(reader, config, ReplayLimits(route=request.route, sink=request.sink, force=request.force))
    count, texts, samples, looked = NOTHING, 0, list[ActionSample](), 0
    cursor: Cursor | None = None
    complete = False
    while not complete and (not looked or time.monotonic() < deadline):
        page = await read_event_page(reader, request, cursor, MOST_LISTED)
        planned = await replay.plan([found.id for found in page.items])
        count = count.plus(count_planned(planned))
        texts += sum(one.sink in text_sinks for one, _ in _sent(planned))
        samples += [
            ActionSample(id=one.event_id, sink=one.sink, about=f"{one.route}, {fate}") for one, fate in _sent(planned)
        ]
        looked, cursor, complete = looked + page.looked, page.next, page.next is None
    return ActionPreview(
        total=total, looked=looked, complete=complete, results=_results(count), receipts=count.receipts,
        text_messages=texts, held=0, samples=samples[:SAMPLES],
    )  # fmt: skip


def _sent(planned: Sequence[ReplayedReceipt]) -> Iterator[tuple[NewDelivery, Fate]]:
    for receipt in planned:
        yield from ((one, fate) for one, fate in receipt.deliveries if fate in (Fate.NEW, Fate.AGAIN))


def _results(count: ReplayCount) -> dict[str, int]:
    return {**count.deliveries, **count.problems}
