"""People of the JSON API: what the store has of one."""

from typing import Annotated

import msgspec

from relay.model import Record
from relay.operations.passport import Passport, PassportSearch
from relay.operations.people_query import PersonQuery, check_query, find_person
from relay.web.admin.api.operation import BAD_REQUEST, ApiFailure, Call, Operation, Operations
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


async def show(call: Call) -> Passport:
    """Answer a person's passport."""
    query, body = read_query(call.body), call.body
    known = await find_person(call.reader, query, call.settings.secret_key)
    call.about = f"person {query.described()}"
    search = PassportSearch(call.reader, call.live.config, known)
    return await search.read(query, body.limit, read_cursor(body.after), thorough=body.thorough, seconds=SECONDS)


def read_query(body: PersonBody) -> PersonQuery:
    """Return who a body means. Raises ApiFailure."""
    query = PersonQuery(phone=body.phone, email=body.email, contact=body.contact, lead=body.lead, source=body.source)
    try:
        check_query(query)
    except ValueError as error:
        raise ApiFailure(BAD_REQUEST, str(error)) from error
    return query


OPERATIONS: Operations = (
    Operation(
        method="POST", path="/people/show", summary="Show what is stored of a person. The audit records it.",
        handler=show, answer=Passport, query=Reveal, body=PassportBody, acts=True, people=True, shows_a_person=True,
        command="people show",
    ),
)  # fmt: skip
