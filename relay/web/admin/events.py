"""The page Events: what came in, and what became of it."""

from collections.abc import Sequence

from msgspec.structs import replace

from relay.model import ReceiptState
from relay.operations.event_outcomes import EventOutcomes, read_outcomes
from relay.operations.search import PAGE_SECONDS, FoundEvent, FoundPage, find_events
from relay.operations.search_terms import SearchTerms
from relay.operations.unknown_filters import unknown_filters
from relay.translation.messages import message
from relay.web.admin.content import Content, Done
from relay.web.admin.listing import (
    DELIVERIES_PATH,
    EVENTS_PATH,
    form,
    is_of,
    looked_so_far,
    next_link,
    search_terms,
    tabs,
)
from relay.web.admin.page_request import PageRequest


async def show(asked: PageRequest) -> Content | Done:
    """List events, newest first, each with what became of it for every sink."""
    reader = asked.services.reader
    terms = search_terms(asked, await reader.now())
    if terms.id:
        place = EVENTS_PATH if await reader.receipts([terms.id.partition(".")[0]]) else DELIVERIES_PATH
        return Done(lines=[], to=f"{place}/{terms.id}")
    if not is_of(terms.filter.state, ReceiptState):
        return Done(lines=[], to=f"{DELIVERIES_PATH}?{asked.request.url.query}")
    page = await _find(asked, terms)
    rows: Sequence[EventOutcomes] = await read_outcomes(reader, page.items) if page else ()
    hints = await unknown_filters(reader, terms.filter) if page and not rows else ()
    return Content(
        template="events.html",
        status=400 if terms.problems else 200,
        title=message("Events"),
        values={
            "page": page,
            "rows": rows,
            "terms": terms,
            "hints": hints,
            "tabs": tabs(asked),
            "form": form(asked, terms, list(ReceiptState)),
            "next_link": next_link(asked, page) if page else "",
            "looked": looked_so_far(asked, page) if page else 0,
            "q": asked.text("q"),
        },
    )


async def _find(asked: PageRequest, terms: SearchTerms) -> FoundPage[FoundEvent] | None:
    """Return what is found; None where the search makes no sense."""
    if terms.problems:
        return None
    filters = replace(terms.filter, recovered=asked.text("view") == "recovered")
    return await find_events(asked.services.reader, filters, PAGE_SECONDS)
