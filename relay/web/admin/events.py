"""The page Events: what came in, and what became of it."""

from relay.operations.search import EventFilter, find_events
from relay.web.admin.content import Content
from relay.web.admin.messages import message
from relay.web.admin.page_request import PageRequest


async def show(asked: PageRequest) -> Content:
    """List events, newest first."""
    page = await find_events(asked.services.reader, EventFilter(limit=50))
    return Content(template="events.html", title=message("Events"), values={"page": page})
