"""Events of the JSON API: lists, stories, and why routes match or not."""

from typing import Annotated

import msgspec
from msgspec.structs import replace

from relay.config.suggestions import did_you_mean
from relay.errors import ConfigError
from relay.model import Record
from relay.operations.explanation import Explanation, explain_receipt, receipt_from_body
from relay.operations.kept_until import read_kept_until
from relay.operations.listed_event import ListedEvent, listed_event
from relay.operations.once_use import check_once_keys
from relay.operations.people_events import add_names_of
from relay.operations.search import PAGE_SECONDS, find_events
from relay.operations.story import ToldStory, read_event_story, tell_story
from relay.web.admin.api.operation import BAD_REQUEST, NOT_FOUND, ApiFailure, Call, ListPage, Operation, Operations
from relay.web.admin.api.queries import EventQuery, Reveal, event_filter, next_of


class PostedHook(Record):
    """A hook as amoCRM would post it, to be explained: nothing is stored or sent."""

    body: Annotated[str, msgspec.Meta(description="The body, a form or JSON.")]
    source: str = ""


async def list_events(call: Call) -> ListPage[ListedEvent]:
    """Answer a page of events."""
    filters = event_filter(call.query, call.query.state, call.settings.secret_key)
    found = await find_events(call.reader, filters, PAGE_SECONDS)
    return ListPage(items=list(map(listed_event, found.items)), next=next_of(found))


async def show_event(call: Call) -> ToldStory:
    """Answer a story, with what today's routes make of the event."""
    story = await read_event_story(call.reader, call.part("id"))
    receipt = await call.reader.raw_receipt(story.receipt.id)
    if receipt is not None:
        add_names_of(receipt)
    told = tell_story(story, explain_receipt(receipt, call.live.config, None) if receipt else None)
    kept_until = await read_kept_until(call.reader, call.live.config.retention, story.receipt)
    return replace(told, kept_until=kept_until)


async def explain_event(call: Call) -> Explanation:
    """Answer what would become of a stored event today."""
    id, _, index = call.part("id").partition(".")
    receipt = await call.reader.raw_receipt(id)
    if receipt is None:
        raise ApiFailure(NOT_FOUND, f"no event or receipt {id}, or its body is gone: give a full id")
    add_names_of(receipt)
    return await check_once_keys(call.reader, explain_receipt(receipt, call.live.config, index or None))


async def explain_hook(call: Call) -> Explanation:
    """Answer what would become of a hook."""
    sources = call.live.config.sources
    source = call.body.source or (next(iter(sources)) if len(sources) == 1 else "")
    if source not in sources:
        raise ApiFailure(BAD_REQUEST, f"source: unknown source {source or 'none'}, {did_you_mean(source, sources)}")
    try:
        receipt = receipt_from_body(call.body.body.encode(), source)
        add_names_of(receipt)
        return await check_once_keys(call.reader, explain_receipt(receipt, call.live.config, None))
    except ConfigError as error:
        raise ApiFailure(BAD_REQUEST, str(error)) from error


OPERATIONS: Operations = (
    Operation(
        method="GET", path="/events", summary="List events, newest first.", handler=list_events,
        answer=ListPage[ListedEvent], query=EventQuery, people=True, command="events list",
    ),
    Operation(
        method="GET", path="/events/{id}", summary="Show the story of an event or a whole receipt.", handler=show_event,
        answer=ToldStory, query=Reveal, people=True, finds=True, command="events show",
    ),
    Operation(
        method="GET", path="/events/{id}/explanation", summary="Say which routes match an event today, and why not.",
        handler=explain_event, answer=Explanation, query=Reveal, people=True, finds=True, command="explain",
    ),
    Operation(
        method="POST", path="/explanation", summary="Say what would become of a hook. Nothing is stored or sent.",
        handler=explain_hook, answer=Explanation, query=Reveal, body=PostedHook, people=True, command="explain",
    ),
)  # fmt: skip
