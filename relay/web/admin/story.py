"""The page Story: all that happened to an event, what happens next, and what can be done about it."""

from collections.abc import Sequence

import msgspec

from relay.errors import RelayError
from relay.logs import log
from relay.masking import mask_people, mask_people_in_json
from relay.model import Json, Record
from relay.operations.account_links import account_link
from relay.operations.curl import curl_command
from relay.operations.explanation import EventExplanation
from relay.operations.next_step import NextStep, find_next_step
from relay.operations.request_description import lacks_content
from relay.operations.story import DeliveryStory, read_delivery_story
from relay.operations.story_detail import StoryDetail, read_story_detail
from relay.operations.timeline import TimelineStep, make_timeline
from relay.store.acts import Act
from relay.translation.messages import UiText, message
from relay.web.admin.content import Content, Done, NotThere
from relay.web.admin.page_request import PageRequest
from relay.web.admin.possible_acts import possible_acts, version_of


class DeliveryView(Record):
    """A delivery as the page shows it. `version`: what a form about it says that it has seen."""

    story: DeliveryStory
    steps: Sequence[TimelineStep]
    next: NextStep
    request: str
    curl: str
    acts: Sequence[Act]
    version: str


class StoryView(Record):
    """A story as the page shows it; `revealed`: with people unmasked."""

    detail: StoryDetail
    title: UiText
    raw: str
    decoded: str
    link: str
    entity: str
    deliveries: Sequence[DeliveryView]
    matched: Sequence[EventExplanation]
    revealed: bool


async def show(asked: PageRequest) -> Content:
    """Show the story of an event or of a whole receipt; people are masked."""
    return await _show(asked, revealed=False)


async def reveal(asked: PageRequest) -> Content:
    """Show it once with people as they are; that is written into the audit first."""
    await _read(asked)
    await asked.services.store.acts.note("reveal", f"event {asked.part('id')}", asked.author)
    log.info("operator.revealed", what=f"event {asked.part('id')}")
    return await _show(asked, revealed=True)


async def show_delivery(asked: PageRequest) -> Done:
    """Go to the story that a delivery is part of."""
    try:
        story = await read_delivery_story(asked.services.reader, asked.part("id"))
    except RelayError as error:
        raise NotThere(str(error)) from error
    delivery = story.deliveries[0].delivery
    return Done(lines=[], to=f"/admin/events/{delivery.event_id}#d-{delivery.id}")


async def _read(asked: PageRequest) -> StoryDetail:
    try:
        return await read_story_detail(asked.services.reader, asked.services.live.config, asked.part("id"))
    except RelayError as error:
        raise NotThere(str(error)) from error


async def _show(asked: PageRequest, *, revealed: bool) -> Content:
    detail = await _read(asked)
    view = _view(asked, detail, revealed=revealed)
    return Content(template="story.html", title=view.title, values={"view": view})


def _view(asked: PageRequest, detail: StoryDetail, *, revealed: bool) -> StoryView:
    story = detail.story
    first = story.events[0] if len(story.events) == 1 else None
    source = asked.services.live.config.sources.get(story.receipt.source)
    return StoryView(
        detail=detail,
        title=_title(detail),
        raw=detail.raw if revealed else mask_people(detail.raw),
        decoded=_json(detail.decoded, revealed=revealed) if detail.decoded is not None else "",
        link=account_link(source, first.entity, first.entity_id) if first else "",
        entity=f"{first.entity}:{first.entity_id}" if first and first.entity_id else "",
        deliveries=[_delivery(detail, one, revealed=revealed) for one in story.deliveries],
        matched=detail.events,
        revealed=revealed,
    )


def _title(detail: StoryDetail) -> UiText:
    events = detail.story.events
    if len(events) != 1:
        return message("Hook {id}", id=detail.story.receipt.id)
    event = events[0]
    return message(
        "{event} of {entity} {id}", event=event.name, entity=UiText(text=event.entity), id=event.entity_id or "?"
    )


def _delivery(detail: StoryDetail, story: DeliveryStory, *, revealed: bool) -> DeliveryView:
    request = detail.requests[story.delivery.id]
    shown = request if revealed else mask_people_in_json(request)
    return DeliveryView(
        story=story,
        steps=make_timeline(detail.story.receipt, story),
        next=find_next_step(story.delivery, detail.story.at),
        request=_json(request, revealed=revealed),
        curl=curl_command(shown),
        acts=possible_acts(story.delivery, has_content=not lacks_content(request)),
        version=version_of(story.delivery),
    )


def _json(value: Json, *, revealed: bool) -> str:
    shown = value if revealed else mask_people_in_json(value)
    return shown if isinstance(shown, str) else msgspec.json.format(msgspec.json.encode(shown)).decode()
