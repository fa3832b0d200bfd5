"""The page Sources: whether each account sends, and what its hook lacks."""

from relay.errors import RelayError
from relay.operations.sources import list_sources, read_source
from relay.web.admin.content import Content, NotThere
from relay.web.admin.messages import message
from relay.web.admin.page_request import PageRequest


async def show(asked: PageRequest) -> Content:
    """Show all sources."""
    services = asked.services
    sources = await list_sources(services.reader, services.live.config, services.settings.config_path)
    return Content(template="sources.html", title=message("Sources"), values={"sources": sources, "one": False})


async def show_one(asked: PageRequest) -> Content:
    """Show a source."""
    services, name = asked.services, asked.part("name")
    try:
        source = await read_source(services.reader, services.live.config, name, services.settings.config_path)
    except RelayError as error:
        raise NotThere(str(error)) from error
    return Content(template="sources.html", title=source.name, values={"sources": [source], "one": True})
