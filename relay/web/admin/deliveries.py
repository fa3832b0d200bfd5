"""The lists of deliveries by state, of which some or all can be acted on: a part of the page Events."""

from msgspec.structs import replace

from relay.model import DeliveryState
from relay.operations.search import find_deliveries
from relay.operations.unknown_filters import unknown_filters
from relay.translation.messages import message
from relay.web.admin.content import Content, Done
from relay.web.admin.listing import EVENTS_PATH, form, is_of, next_link, search_terms, tabs
from relay.web.admin.page_request import PageRequest
from relay.web.admin.possible_acts import acts_on_all, version_of


async def show(asked: PageRequest) -> Content | Done:
    """List deliveries, newest first."""
    reader = asked.services.reader
    terms = search_terms(asked, await reader.now())
    if terms.id or terms.text or not is_of(terms.filter.state, DeliveryState):
        return Done(lines=[], to=f"{EVENTS_PATH}?{asked.request.url.query}")
    filters = replace(terms.filter, needs_person=asked.text("view") == "needs-me" and terms.filter.entity is None)
    page = None if terms.problems else await find_deliveries(reader, filters)
    hints = await unknown_filters(reader, terms.filter) if page and not page.items else ()
    return Content(
        template="deliveries.html",
        status=400 if terms.problems else 200,
        title=message("Deliveries"),
        values={
            "page": page,
            "terms": terms,
            "hints": hints,
            "tabs": tabs(asked),
            "form": form(asked, terms, list(DeliveryState)),
            "next_link": next_link(asked, page.next) if page else "",
            "q": asked.text("q"),
            "acts": acts_on_all([one.state for one in page.items]) if page else (),
            "version_of": version_of,
        },
    )
