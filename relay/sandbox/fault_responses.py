"""Answer a request as a fault demands."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from relay.sandbox.faults import InjectedFault
from relay.sandbox.vendors.base import Answer
from relay.sandbox.wire import ClientConnection

_HTML = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>"
_SLOW_SECONDS = 30.0  # longer than any sink's timeout


def to_response(answer: Answer) -> Response:
    """Make the response of an answer."""
    return Response(msgspec.json.encode(answer.content), answer.status, answer.headers, "application/json")


async def respond_with_fault(fault: InjectedFault, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with a fault. `answer` is the vendor's own answer."""
    connection = ClientConnection(scope, receive)
    match fault.fault:
        case "hang":
            if not await connection.wait_until_ended(fault.seconds):
                await connection.close()
        case "reset":
            await connection.reset()
        case "truncated":
            head, body = _raw(answer)
            connection.write(head + body[: len(body) // 2])
            await connection.close()
        case "slow_headers":
            await _drip(connection, answer, fault.seconds or _SLOW_SECONDS)
        case "html":
            await Response(_HTML, 200, media_type="text/html")(scope, receive, send)
        case _:
            await _refusal(fault)(scope, receive, send)


def _refusal(fault: InjectedFault) -> Response:
    headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
    return to_response(Answer(content={"ok": False, "error": "injected"}, status=fault.answers or 500, headers=headers))


def _raw(answer: Answer) -> tuple[bytes, bytes]:
    body = msgspec.json.encode(answer.content)
    fields: Mapping[str, str] = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **answer.headers,
    }
    status_line = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"
    lines = [status_line, *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode(), body


async def _drip(connection: ClientConnection, answer: Answer, seconds: float) -> None:
    head, body = _raw(answer)
    for byte in head:
        connection.write(bytes([byte]))
        if await connection.wait_until_ended(seconds / len(head)):
            return
    connection.write(body)
    await connection.close()
