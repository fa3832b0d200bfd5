"""What the lists of events and of deliveries have in common: their filters, their views, how far they looked."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from msgspec.structs import replace

from relay.events import EVENT_ENTITIES
from relay.model import DeliveryState, ReceiptState, Record
from relay.operations.people_keys import PeopleKey
from relay.operations.search import FoundPage, format_cursor
from relay.operations.search_terms import SearchTerms, read_terms, with_cursor
from relay.translation.messages import UiText, message
from relay.web.admin.page_request import PageRequest

ROWS: Final = 50
_MOST_DIGITS: Final = 12
_PLACE: Final = ("after", "looked")  # where in a list a page is
EVENTS_PATH, DELIVERIES_PATH = "/admin/events", "/admin/deliveries"
_FIELDS: Final = ("source", "event", "route", "sink", "state", "reason", "cause", "since", "until")


class ListTab(Record):
    """A view that the lists offer: a filter with a name."""

    url: str
    label: UiText
    current: bool


class ListForm(Record):
    """The filter as its form shows it, and what may be chosen there."""

    values: Mapping[str, str]
    sources: Sequence[str]
    sinks: Sequence[str]
    events: Sequence[str]
    states: Sequence[str]
    filtered: bool


_TABS: Final[Sequence[tuple[UiText, str, Mapping[str, str]]]] = (
    (message("All"), EVENTS_PATH, {}),
    (message("Needs me"), DELIVERIES_PATH, {"view": "needs-me"}),
    (message("Failed"), DELIVERIES_PATH, {"state": "dead"}),
    (message("Held"), DELIVERIES_PATH, {"state": "held"}),
    (message("Waiting"), DELIVERIES_PATH, {"state": "pending"}),
    (message("Unrouted"), EVENTS_PATH, {"state": "unrouted"}),
    (message("Malformed"), EVENTS_PATH, {"state": "malformed"}),
    (message("Recovered"), EVENTS_PATH, {"view": "recovered"}),
)


def tabs(asked: PageRequest) -> list[ListTab]:
    """Return the default views; one is current where the page shows just it."""
    path = asked.request.url.path
    given = {name: value for name, value in asked.request.query_params.items() if value and name not in _PLACE}
    return [
        ListTab(
            url=f"{where}?{urlencode(filters)}" if filters else where,
            label=label,
            current=path == where and given == filters,
        )
        for label, where, filters in _TABS
    ]


def form(asked: PageRequest, terms: SearchTerms, states: Sequence[str]) -> ListForm:
    """Return the form of a list's filter."""
    config, found = asked.services.live.config, terms.filter
    values = {name: asked.text(name) or str(getattr(found, name) or "") for name in _FIELDS if name not in _TIMES}
    values |= {name: asked.text(name) for name in _TIMES}
    return ListForm(
        values=values,
        sources=sorted(config.sources),
        sinks=sorted(config.sinks),
        events=sorted(EVENT_ENTITIES),
        states=states,
        filtered=any(asked.text(name) for name in (*_FIELDS, "q", "view")),
    )


_TIMES: Final = ("since", "until")


def search_terms(asked: PageRequest, now: int) -> SearchTerms:
    """Read the filters of the address, and what was typed into the search box, as one search."""
    typed = asked.text("q")
    fields = [f'{name}:"{asked.text(name)}"' for name in _FIELDS if asked.text(name)]
    secret = asked.services.settings.secret_key
    terms = read_terms(" ".join([*fields, typed]).strip(), now, ROWS, PeopleKey(secret) if secret else None)
    try:
        return replace(terms, filter=with_cursor(terms.filter, asked.text("after")))
    except ValueError as error:
        return replace(terms, problems=[*terms.problems, str(error)])


def is_of(state: str, states: type[ReceiptState] | type[DeliveryState]) -> bool:
    """Return whether a state is one of a kind of thing; the empty one is of any."""
    return not state or state in set(states)


def looked_so_far(asked: PageRequest, page: FoundPage[Any]) -> int:
    """Return how many rows were looked at for this page and those before it, as far as the address says."""
    before = asked.text("looked")
    return page.looked + (int(before) if before.isdecimal() and len(before) < _MOST_DIGITS else 0)


def next_link(asked: PageRequest, page: FoundPage[Any]) -> str:
    """Return the address of the rest of a list; empty where there is none."""
    if page.next is None:
        return ""
    return asked.link(after=format_cursor(page.next), looked=str(looked_so_far(asked, page)))
