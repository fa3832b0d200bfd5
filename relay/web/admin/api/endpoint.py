"""Answer a request to the JSON API: read what its operation takes, call it, and say in JSON what was wrong."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from relay.config.suggestions import did_you_mean
from relay.errors import AccountUnavailable, RelayError, StoreUnavailable
from relay.logs import log
from relay.masking import mask_people_in_json, mask_secrets_in_json
from relay.model import Json, Record
from relay.printable import escape_json
from relay.web.admin.api.operation import (
    BAD_GATEWAY,
    BAD_REQUEST,
    NOT_FOUND,
    ApiFailure,
    Call,
    Error,
    ListPage,
    Operation,
)
from relay.web.admin.origins import JSON_TYPE, media_type
from relay.web.admin.refusal import in_english
from relay.web.admin.rights import READ_ONLY, author, may_act
from relay.web.admin.services import Services

MAX_BYTES: Final = 4 * 1024 * 1024  # a hook that is to be explained
_UNAVAILABLE: Final = 503
_AWAY: Final = "relay-shards-away"


class ApiEndpoint:
    """Answers for one path: `operations` by method."""

    def __init__(self, services: Services, operations: Mapping[str, Operation]) -> None:
        self._services = services
        self._operations = operations

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        operation = self._operations.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            allowed = ", ".join(sorted(self._operations))
            reason = f"{request.method[:20]} is not possible here, only {allowed}"
            return _send(Error(error=reason), 405, {"allow": allowed})
        if operation.acts and not may_act(request):
            return _send(Error(error=in_english(READ_ONLY)), 403)
        try:
            return await self._answer(request, operation)
        except ApiFailure as failure:
            return _send(Error(error=str(failure)), failure.status)
        except StoreUnavailable as error:
            reason = f"the store does not answer: {error}; try again"
            return _send(Error(error=reason), _UNAVAILABLE, {"retry-after": "5"})
        except AccountUnavailable as error:
            return _send(Error(error=f"{error}; try again"), BAD_GATEWAY)
        except RelayError as error:
            return _send(Error(error=str(error)), NOT_FOUND if operation.finds else BAD_REQUEST)
        except ClientDisconnect:
            return _send(Error(error="the body was cut off"), BAD_REQUEST)

    async def _answer(self, request: Request, operation: Operation) -> Response:
        query = read_query(request, operation.query)
        body = None if operation.body is None else await _read_body(request, operation.body)
        reveal = operation.people and query.reveal
        if reveal and not may_act(request):
            return _send(Error(error=in_english(READ_ONLY)), 403)
        call = Call(request, self._services, query, body)
        answer = await operation.handler(call)
        if reveal or operation.shows_a_person:  # recorded once it is known what there is to show, before it is shown
            await self._services.store.acts.note("reveal", call.about, author(request, query.why, query.by))
            log.info("operator.revealed", what=call.about)
        away = ",".join(self._services.reader.away)
        headers = {_AWAY: away} if away else None  # what is answered is without these shards
        return _send(answer, 200, headers, reveal=reveal or operation.hands_out)


def read_query(request: Request, type: type[Record]) -> Any:
    """Return the parameters of an address. Raises ApiFailure."""
    given = dict(request.query_params)
    names = [field.encode_name for field in msgspec.structs.fields(type)]
    for name in given:
        if name not in names:
            known = did_you_mean(name, names) if names else "there are none"
            raise ApiFailure(BAD_REQUEST, f"there is no parameter {name[:60]!r} here: {known}")
    try:
        return msgspec.convert(given, type, strict=False)
    except msgspec.ValidationError as error:
        raise ApiFailure(BAD_REQUEST, _plain(error)) from error


async def _read_body(request: Request, type: type[Record]) -> Any:
    if media_type(request) not in (JSON_TYPE, ""):
        raise ApiFailure(415, f"Content-Type is {media_type(request)[:100]}, send {JSON_TYPE}")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BYTES:
            raise ApiFailure(413, f"the body is over {MAX_BYTES:,} bytes")
        chunks.append(chunk)
    try:
        return msgspec.json.decode(b"".join(chunks) or b"{}", type=type)
    except msgspec.ValidationError as error:
        raise ApiFailure(BAD_REQUEST, _plain(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiFailure(BAD_REQUEST, f"the body is not JSON: {error}") from error


def _plain(error: msgspec.ValidationError) -> str:
    """Return msgspec's message with the field first: "limit: Expected `int` >= 1"."""
    message, _, at = str(error).partition(" - at `$")
    return f"{at.strip('.`')}: {message}" if at.strip(".`") else message


def _send(answer: object, status: int, headers: Mapping[str, str] | None = None, *, reveal: bool = False) -> Response:
    shown = msgspec.to_builtins(answer)
    if isinstance(answer, ListPage):  # where a list goes on is no one's number
        shown = {**shown, "items": _masked(shown["items"], reveal=reveal)}
    else:
        shown = _masked(shown, reveal=reveal)
    encoded = escape_json(msgspec.json.encode(shown).decode())
    return Response(encoded, status, headers, media_type=JSON_TYPE)


def _masked(value: Json, *, reveal: bool) -> Json:
    return value if reveal else mask_people_in_json(mask_secrets_in_json(value))
