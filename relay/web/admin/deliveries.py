"""The lists of deliveries by state, of which some or all can be acted on: a part of the page Events."""

from urllib.parse import urlencode

from msgspec.structs import replace

from relay.model import DeliveryState
from relay.operations.search import PAGE_SECONDS, find_deliveries
from relay.operations.unknown_filters import unknown_filters
from relay.store.acts import Act
from relay.translation.messages import message
from relay.web.admin.actions import ACTION_FILTERS
from relay.web.admin.actions import HOME as ACTIONS
from relay.web.admin.content import Content, Done
from relay.web.admin.listing import EVENTS_PATH, form, is_of, looked_so_far, next_link, search_terms, tabs
from relay.web.admin.page_request import PageRequest
from relay.web.admin.possible_acts import acts_on_all, version_of


async def show(asked: PageRequest) -> Content | Done:
    """List deliveries, newest first."""
    reader = asked.services.reader
    terms = search_terms(asked, await reader.now())
    if terms.id or not is_of(terms.filter.state, DeliveryState):
        return Done(lines=[], to=f"{EVENTS_PATH}?{asked.request.url.query}")
    filters = replace(terms.filter, needs_person=asked.text("view") == "needs-me" and terms.filter.entity is None)
    page = None if terms.problems else await find_deliveries(reader, filters, PAGE_SECONDS)
    hints = await unknown_filters(reader, terms.filter) if page and not page.items else ()
    acts = acts_on_all([one.state for one in page.items]) if page else ()
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
            "next_link": next_link(asked, page) if page else "",
            "looked": looked_so_far(asked, page) if page else 0,
            "q": asked.text("q"),
            "acts": acts,
            "version_of": version_of,
            "all_link": _link_to_all(asked, acts[0]) if acts else "",
        },
    )


def _link_to_all(asked: PageRequest, act: Act) -> str:
    """Return the address of an action on all that the filter finds; empty where the list has none that actions take."""
    given = {name: value for name, value in asked.request.query_params.items() if value and name in ACTION_FILTERS}
    return f"{ACTIONS}/new?{urlencode({'kind': act, **given})}" if given and not asked.text("view") else ""
