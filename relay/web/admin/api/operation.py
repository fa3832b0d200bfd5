"""What the JSON API is made of: operations, each with the types of what it takes and answers."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from starlette.requests import Request

from relay.model import Record
from relay.store.acts import Author
from relay.web.admin.rights import author
from relay.web.admin.services import Services

T = TypeVar("T")
Method: TypeAlias = Literal["GET", "POST", "DELETE"]
BAD_REQUEST, NOT_FOUND, BAD_GATEWAY = 400, 404, 502


class ApiFailure(Exception):
    """A request that cannot be met: a status, and what was wrong and what would be right."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Error(Record):
    """What was wrong with a request, and what would be right."""

    error: str


class ListPage(Record, Generic[T]):
    """A part of a list, the newest first. `next`: give it as `after` to go on; null: there is no more."""

    items: Sequence[T]
    next: str | None


class Said(Record):
    """What was done, in a line."""

    message: str


class NoQuery(Record):
    """No parameters."""


class ActBody(Record):
    """Who acts and why. Only a program says who: of a browser's session it is known."""

    by: str = ""
    why: str = ""


class Call:
    """A request whose query and body have been read."""

    def __init__(self, request: Request, services: Services, query: Any, body: Any) -> None:
        self._request = request
        self.store, self.reader, self.live = services.store, services.reader, services.live
        self.settings = services.settings
        self.query = query
        self.body = body
        self.about = request.url.path.removeprefix("/admin/api/")  # what the audit says was revealed

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self._request.path_params[name])

    @property
    def author(self) -> Author:
        """Return who acts, and why."""
        given: ActBody = self.body
        return author(self._request, given.why, given.by)


Handler: TypeAlias = Callable[[Call], Awaitable[object]]


class Operation(Record):
    """One address and method: what it takes, what it answers, and the command that means the same.

    `people`: its answer may hold people, who are masked unless `reveal` is asked for.
    """

    method: Method
    path: str  # below /admin/api
    summary: str
    handler: Handler
    answer: Any
    command: str
    query: type[Record] = NoQuery
    body: type[Record] | None = None
    acts: bool = False
    people: bool = False
    shows_a_person: bool = False  # all that is stored of one: that is recorded though it is masked
    finds: bool = False  # answers 404 where what it names does not exist
    calls: bool = False  # an account, and answers 502 where that cannot be reached
    hands_out: bool = False  # its answer is a secret that was made for who asks

    @property
    def parts(self) -> Sequence[str]:
        """Return the names of the parts of the path."""
        return [part.strip("{}") for part in self.path.split("/") if part.startswith("{")]


Operations: TypeAlias = Sequence[Operation]
