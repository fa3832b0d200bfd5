"""The page People: what the store has of a person, to be read and printed, and taking it out."""

from typing import Final

from relay.errors import ConfigError
from relay.logs import log
from relay.operations.erasing import preview_erasure, start_erasure
from relay.operations.erasures import read_erasures
from relay.operations.passport import PassportSearch, mask_passport, note_shown
from relay.operations.people_query import PersonQuery, check_query, find_person
from relay.operations.search import parse_cursor
from relay.translation.messages import message
from relay.web.admin.content import Content, Done
from relay.web.admin.page_request import PageRequest

HOME: Final = "/admin/people"
SECONDS: Final = 1.5
ROWS: Final = 100
MOST_ERASURES: Final = 10
_FIELDS: Final = ("phone", "email", "contact", "lead", "source")


async def show_form(asked: PageRequest) -> Content:
    """Ask who is meant, and list who was erased, without the people."""
    erasures = await read_erasures(
        asked.services.store, asked.services.reader, MOST_ERASURES, asked.services.live.config.sinks
    )
    return _content(asked, PersonQuery(), {"passport": None, "erasures": erasures})


async def show(asked: PageRequest) -> Content:
    """Show a person's passport; that is written into the audit first. Who it is stands in no address."""
    query = read_query(asked)
    services, after = asked.services, asked.field("after")
    try:
        cursor = parse_cursor(after) if after else None
    except ValueError as error:
        raise ConfigError(str(error)) from error
    known = await find_person(services.reader, query, services.settings.secret_key)
    search = PassportSearch(services.reader, services.live.config, known)
    passport = await search.read(query, ROWS, cursor, thorough=bool(asked.field("thorough")), seconds=SECONDS)
    await note_shown(services.store.acts, query, asked.author)
    log.info("operator.revealed", what="person")
    revealed = bool(asked.field("reveal"))
    shown = passport if revealed else mask_passport(passport)
    return _content(asked, query, {"passport": shown, "revealed": revealed})


async def erase(asked: PageRequest) -> Content | Done:
    """Say what an erasure would take out; where that was seen, and is meant, start it."""
    query, services = read_query(asked), asked.services
    known = await find_person(services.reader, query, services.settings.secret_key)
    if not asked.field("sure"):
        preview = await preview_erasure(services.reader, services.live.config, known, query, SECONDS)
        return _content(asked, query, {"passport": None, "preview": preview})
    if not asked.field("why"):
        return Done(lines=[message("Say why: it stands beside what the action did.")], to=HOME, ok=False)
    started = await start_erasure(services.store, services.reader, known, query, asked.author)
    return Done(lines=[started.message], to=f"/admin/actions/{started.id}", ok=started.started)


def read_query(asked: PageRequest) -> PersonQuery:
    """Return who the form means. Raises ConfigError."""
    query = PersonQuery(**{name: asked.field(name) for name in _FIELDS})
    try:
        check_query(query)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return query


def _content(asked: PageRequest, query: PersonQuery, values: dict[str, object]) -> Content:
    shared = {
        "preview": None,
        "erasures": (),
        "revealed": False,
        "query": query,
        "sources": sorted(asked.services.live.config.sources),
    }
    return Content(template="people.html", title=message("People"), values={**shared, **values})
