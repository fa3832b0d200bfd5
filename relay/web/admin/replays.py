"""The page that shows what a replay of an event would change, and does it."""

from collections.abc import Sequence
from typing import Final

import msgspec

from relay.errors import RelayError
from relay.masking import mask_people_in_json
from relay.model import Json, NewDelivery, Record
from relay.operations.people_events import add_names_of
from relay.operations.replay import Fate, Replay, ReplayedReceipt, ReplayLimits
from relay.operations.replaying import count_planned, write_replay
from relay.operations.request_description import describe_by, describe_request
from relay.operations.story import Story, read_event_story
from relay.translation.messages import UiText, counted, message
from relay.web.admin.content import Content, Done, NotThere
from relay.web.admin.page_request import PageRequest
from relay.web.admin.text_difference import DifferenceLine, difference

_FATES: Final = {
    Fate.NEW: message("will be made"),
    Fate.AGAIN: message("will be sent again, rendered anew"),
    Fate.DELIVERED: message("is delivered, left alone"),
    Fate.PENDING: message("is pending already"),
    Fate.HELD: message("is held: decide about it first"),
    Fate.CANCELLED: message("was cancelled, left alone"),
    Fate.TAKEN: message("another event has used its key"),
    Fate.SHADOWED: message("is shadowed: its route is only tried out"),
    Fate.UNSENDABLE: message("cannot be rendered"),
}


class PlannedView(Record):
    """What a replay does with a delivery that today's routes make, and how its request differs from the stored one."""

    delivery: NewDelivery
    fate: Fate
    label: UiText
    lines: Sequence[DifferenceLine]


class ReplayView(Record):
    """What a replay of an event would do. `left`: deliveries that today's routes do not make, and that stay."""

    id: str
    problem: str
    planned: Sequence[PlannedView]
    left: Sequence[str]
    does: bool
    version: str  # what a form says that it has seen
    force: bool


async def show(asked: PageRequest) -> Content:
    """Show what a replay would do, and write nothing."""
    force = asked.text("force") == "yes"
    story, planned = await _plan(asked, force=force)
    view = await _view(asked, story, planned, force=force)
    return Content(template="replay.html", title=message("Replay"), values={"view": view})


async def replay(asked: PageRequest) -> Done:
    """Replay, where it would still do what the page showed."""
    id, force = asked.part("id"), asked.field("force") == "yes"
    _, planned = await _plan(asked, force=force)
    if asked.field("version") != _version(planned):
        line = message("Nothing was done: what a replay would do has changed since you looked. Look at it again.")
        return Done(lines=[line], to=f"/admin/events/{id}/replay", ok=False)
    config = asked.services.live.config
    done = await write_replay(asked.services.store, config, planned, asked.author, force=force)
    made = done.deliveries.get(Fate.NEW, 0) + done.deliveries.get(Fate.AGAIN, 0)
    sent = counted("Replayed: {n} delivery will be sent.", "Replayed: {n} deliveries will be sent.", made)
    lines: list[UiText | str] = [sent]
    lines += [message("Left alone: {problem}", problem=UiText(text=problem)) for problem in done.problems]
    return Done(lines=lines, to=f"/admin/events/{id}", ok=not done.problems)


async def _plan(asked: PageRequest, *, force: bool) -> tuple[Story, ReplayedReceipt]:
    services, id = asked.services, asked.part("id")
    try:
        story = await read_event_story(services.reader, id)
    except RelayError as error:
        raise NotThere(str(error)) from error
    if (receipt := await services.reader.raw_receipt(story.receipt.id)) is not None:
        add_names_of(receipt)
    planner = Replay(services.reader, services.live.config, ReplayLimits(force=force))
    return story, (await planner.plan([id]))[0]


def _version(planned: ReplayedReceipt) -> str:
    config = planned.part.config if planned.part else planned.problem
    return " ".join([config, *(f"{delivery.id[:8]}={fate}" for delivery, fate in planned.deliveries)])


async def _view(asked: PageRequest, story: Story, planned: ReplayedReceipt, *, force: bool) -> ReplayView:
    before = {one.delivery.id: await _request(asked, one.delivery.id) for one in story.deliveries}
    made = {delivery.id for delivery, _ in planned.deliveries}
    count = count_planned([planned])
    return ReplayView(
        id=asked.part("id"),
        problem=planned.problem,
        planned=[
            PlannedView(
                delivery=one,
                fate=fate,
                label=_FATES[fate],
                lines=difference(before.get(one.id, ""), _planned(asked, one)),
            )
            for one, fate in planned.deliveries
        ],
        left=[f"{one.delivery.route} → {one.delivery.sink}" for one in story.deliveries if one.delivery.id not in made],
        does=bool(count.deliveries.get(Fate.NEW, 0) + count.deliveries.get(Fate.AGAIN, 0)),
        version=_version(planned),
        force=force,
    )


async def _request(asked: PageRequest, id: str) -> str:
    reader = asked.services.reader
    found = await reader.deliveries([id])
    return (
        _text(describe_request(asked.services.live.config, found[0], await reader.content(found[0]))) if found else ""
    )


def _planned(asked: PageRequest, delivery: NewDelivery) -> str:
    if not delivery.content:
        return delivery.reason
    sink = asked.services.live.sinks.get(delivery.sink)
    return _text(describe_by(sink, delivery.content)) if sink is not None else ""


def _text(request: Json) -> str:
    shown = mask_people_in_json(request)
    return shown if isinstance(shown, str) else msgspec.json.format(msgspec.json.encode(shown)).decode()
