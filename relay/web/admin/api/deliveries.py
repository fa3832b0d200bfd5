"""Deliveries of the JSON API: lists, stories, and what people decide about them."""

from collections.abc import Awaitable, Callable, Sequence

from relay.config.suggestions import did_you_mean
from relay.model import DeliveryState, Record
from relay.operations.acts import ActResult, TodaysActs, act_on_deliveries
from relay.operations.people_events import add_names_of
from relay.operations.request_description import describe_request
from relay.operations.search import PAGE_SECONDS, find_deliveries
from relay.operations.story import ToldStory, read_delivery_story, tell_story
from relay.store.acts import Act as DeliveryAct
from relay.store.stored import StoredDelivery
from relay.web.admin.api.operation import (
    BAD_REQUEST,
    ActBody,
    ApiFailure,
    Call,
    Handler,
    ListPage,
    Operation,
    Operations,
)
from relay.web.admin.api.queries import DeliveryQuery, EndedQuery, Ids, Reveal, event_filter, next_of


class ActOnDeliveries(ActBody):
    """Deliveries, and who acts on them and why."""

    ids: Ids


class MoveDeliveries(ActOnDeliveries):
    """Deliveries of a sink that left the configuration, and one that it has."""

    to: str


class ActResults(Record):
    """What came of an act on each delivery, in order."""

    results: Sequence[ActResult]


def _list(state: DeliveryState | None = None) -> Handler:
    async def answer(call: Call) -> ListPage[StoredDelivery]:
        filters = event_filter(call.query, state or call.query.state, call.settings.secret_key)
        found = await find_deliveries(call.reader, filters, PAGE_SECONDS)
        return ListPage(items=found.items, next=next_of(found))

    return answer


async def show_delivery(call: Call) -> ToldStory:
    """Answer a story, with the request that the delivery sends."""
    story = await read_delivery_story(call.reader, call.part("id"))
    delivery = story.deliveries[0].delivery
    content = await call.reader.content(delivery)
    if (receipt := await call.reader.raw_receipt(story.receipt.id)) is not None:
        add_names_of(receipt)
    return tell_story(story, request=describe_request(call.live.config, delivery, content))


def _act(act: DeliveryAct) -> Handler:
    async def answer(call: Call) -> ActResults:
        return ActResults(results=await act_on_deliveries(call.store, call.body.ids, act, call.author))

    return answer


async def render(call: Call) -> ActResults:
    """Send deliveries with what today's routes make of their events."""
    todays = TodaysActs(call.store, call.reader, call.live.config)
    return ActResults(results=[await todays.render(id, call.author) for id in call.body.ids])


async def move(call: Call) -> ActResults:
    """Move deliveries to another sink."""
    sinks, to = call.live.config.sinks, call.body.to
    if to not in sinks:
        raise ApiFailure(BAD_REQUEST, f"to: unknown sink {to[:60]}, {did_you_mean(to, sinks)}")
    todays = TodaysActs(call.store, call.reader, call.live.config)
    return ActResults(results=[await todays.move(id, to, call.author) for id in call.body.ids])


def _lists(path: str, summary: str, handler: Handler, query: type[Record]) -> Operation:
    return Operation(
        method="GET", path=path, summary=summary, handler=handler, answer=ListPage[StoredDelivery], query=query,
        people=True, command=f"{path.strip('/')} list",
    )  # fmt: skip


def _acts(
    name: str, summary: str, handler: Callable[[Call], Awaitable[object]], body: type[Record] = ActOnDeliveries,
    command: str = "",
) -> Operation:  # fmt: skip
    return Operation(
        method="POST", path=f"/deliveries/{name}", summary=summary, handler=handler, answer=ActResults, body=body,
        acts=True, command=command or f"deliveries {name}",
    )  # fmt: skip


OPERATIONS: Operations = (
    _lists("/deliveries", "List deliveries, newest first.", _list(), DeliveryQuery),
    _lists("/held", "List held deliveries, by when they became so.", _list(DeliveryState.HELD), EndedQuery),
    _lists("/dead", "List dead letters, by when they became so.", _list(DeliveryState.DEAD), EndedQuery),
    Operation(
        method="GET", path="/deliveries/{id}", summary="Show the story of a delivery, and the request that it sends.",
        handler=show_delivery, answer=ToldStory, query=Reveal, people=True, finds=True, command="deliveries show",
    ),
    _acts("retry", "Make pending deliveries due now.", _act(DeliveryAct.RETRY)),
    _acts("cancel", "Give up pending, held or dead deliveries.", _act(DeliveryAct.CANCEL)),
    _acts("confirm", "Settle held deliveries as delivered.", _act(DeliveryAct.CONFIRM)),
    _acts("resend", "Send held, dead, cancelled or skipped deliveries again.", _act(DeliveryAct.RESEND)),
    _acts(
        "render", "Send them with what today's routes make of their events.", render,
        command="deliveries resend --render",
    ),
    _acts("move", "Move deliveries of a sink that left the configuration to one that it has.", move, MoveDeliveries),
)  # fmt: skip
