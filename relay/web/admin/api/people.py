"""People of the JSON API: what the store has of one, and taking it out."""

from typing import Annotated

import msgspec

from relay.model import Record
from relay.operations.actions import StartedAction
from relay.operations.erasing import ErasurePreview, preview_erasure, start_erasure
from relay.operations.erasures import ErasureRecord, read_erasures
from relay.operations.passport import Passport, PassportSearch
from relay.operations.people_query import PersonQuery, check_query, find_person
from relay.web.admin.api.operation import BAD_REQUEST, ActBody, ApiFailure, Call, ListPage, Operation, Operations
from relay.web.admin.api.queries import After, Limit, Reveal, read_cursor

SECONDS = 3.0


class PersonBody(Record):
    """Who is meant: all that is given is one person. `source`: of which source the contact and the lead are.

    In the body, because addresses stand in the logs of proxies.
    """

    phone: str = ""
    email: str = ""
    contact: Annotated[str, msgspec.Meta(description="The id of their contact in the account.")] = ""
    lead: Annotated[str, msgspec.Meta(description="The id of their lead in the account.")] = ""
    source: str = ""


class PassportBody(PersonBody):
    """Whose passport. `thorough`: look through all hooks, though there is an index."""

    thorough: bool = False
    limit: Limit = 100
    after: After = ""


class EraseBody(ActBody):
    """Who is erased. `dry_run`: only say what would be taken out."""

    phone: str = ""
    email: str = ""
    contact: Annotated[str, msgspec.Meta(description="The id of their contact in the account.")] = ""
    lead: Annotated[str, msgspec.Meta(description="The id of their lead in the account.")] = ""
    source: str = ""
    dry_run: bool = False


class ErasuresQuery(Record):
    """How many of the newest erasures."""

    limit: Limit = 20


class StartedErasure(Record):
    """What would be taken out, where that was asked; else the action that does it."""

    preview: ErasurePreview | None
    started: StartedAction | None


async def show(call: Call) -> Passport:
    """Answer a person's passport."""
    query, body = read_query(call.body), call.body
    known = await find_person(call.reader, query, call.settings.secret_key)
    call.about = f"person {query.described()}"
    search = PassportSearch(call.reader, call.live.config, known)
    return await search.read(query, body.limit, read_cursor(body.after), thorough=body.thorough, seconds=SECONDS)


async def erase(call: Call) -> StartedErasure:
    """Start an erasure, or say what it would take out."""
    query = read_query(call.body)
    known = await find_person(call.reader, query, call.settings.secret_key)
    if call.body.dry_run:
        preview = await preview_erasure(call.reader, call.live.config, known, query, SECONDS)
        return StartedErasure(preview=preview, started=None)
    return StartedErasure(preview=None, started=await start_erasure(call.store, call.reader, known, query, call.author))


async def list_erasures(call: Call) -> ListPage[ErasureRecord]:
    """Answer the newest erasures."""
    return ListPage(
        items=await read_erasures(call.store, call.reader, call.query.limit, call.live.config.sinks), next=None
    )


def read_query(body: "PersonBody | EraseBody") -> PersonQuery:
    """Return who a body means. Raises ApiFailure."""
    query = PersonQuery(phone=body.phone, email=body.email, contact=body.contact, lead=body.lead, source=body.source)
    try:
        check_query(query)
    except ValueError as error:
        raise ApiFailure(BAD_REQUEST, str(error)) from error
    return query


OPERATIONS: Operations = (
    Operation(
        method="GET", path="/people/erasures", summary="List the erasures, without the people, the newest first.",
        handler=list_erasures, answer=ListPage[ErasureRecord], query=ErasuresQuery, command="people erasures",
    ),
    Operation(
        method="POST", path="/people/show", summary="Show what is stored of a person. The audit records it.",
        handler=show, answer=Passport, query=Reveal, body=PassportBody, acts=True, people=True, shows_a_person=True,
        command="people show",
    ),
    Operation(
        method="POST", path="/people/erase", summary="Take a person out of all that is stored. It cannot be undone.",
        handler=erase, answer=StartedErasure, body=EraseBody, acts=True, command="people erase",
    ),
)  # fmt: skip
