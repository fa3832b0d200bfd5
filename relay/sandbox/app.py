"""The fakes as one application: each vendor under its own path, and what tests and the demo ask and tell them.

`GET /__sandbox__/requests?vendor=&since=&limit=` what arrived, `DELETE` forgets it; `POST /__sandbox__/faults` puts a
fault in force (see `relay.sandbox.faults.Fault`), `GET` lists them, `DELETE` takes them back. `GET /__sandbox__/held`
lists the requests that a pause holds, `POST /__sandbox__/release` lets them go on. Under `/amocrm` is a fake account
(see `relay.sandbox.amocrm`).
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from relay.sandbox.amocrm import app as amocrm
from relay.sandbox.fault_responses import respond_with_fault, to_response
from relay.sandbox.faults import Fault, Faults, Point
from relay.sandbox.pauses import PausedRequest, Pauses
from relay.sandbox.request_log import RequestLog
from relay.sandbox.vendors import make_vendor
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest
from relay.sandbox.wire import Connection

PAGE = 1000
REFUSED_SECONDS = 5.0
PointReached: TypeAlias = Callable[[Point], Awaitable[None]]
_NOTHING = Answer(content={"ok": False}, stored=False)


class Sandbox:
    """All vendors, what arrived at them, and the faults in force. `shut` closes the port for so many seconds."""

    def __init__(self, shut: Callable[[float], Awaitable[None]]) -> None:
        self._shut = shut
        self._vendors: dict[str, Vendor] = {}
        self._arrivals = RequestLog()
        self._faults = Faults()
        self._pauses = Pauses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request to a vendor."""
        vendor, path = _place(scope)

        async def point(at: Point) -> None:
            if pause := self._faults.take(vendor, path, at):
                await self._pauses.hold(
                    pause, PausedRequest(vendor=vendor, path=path, at=at), Connection(scope, receive)
                )

        await point("before-read")
        body = await _body(receive)
        if body is not None:
            await self._take(_arrived(scope, body), point, scope, receive, send)

    async def _take(
        self, arrived: VendorRequest, point: PointReached, scope: Scope, receive: Receive, send: Send
    ) -> None:
        fault = self._faults.take(arrived.vendor, arrived.path)
        if fault is not None and not fault.stores:
            self._arrivals.add(arrived, None, fault.answers, fault.fault)
            await respond_with_fault(fault, _NOTHING, scope, receive, send)
            return
        vendor = self._vendor(arrived.vendor)
        answer = vendor.answer(arrived)
        try:
            await point("stored")
            if fault is None:
                self._arrivals.add(arrived, answer, answer.status, "")
                await point("before-answer")
                await to_response(answer)(scope, receive, send)
                await point("answered")
            else:
                self._arrivals.add(arrived, answer, fault.answers, fault.fault)
                await respond_with_fault(fault, answer, scope, receive, send)
        finally:
            vendor.on_finished(arrived)

    def _vendor(self, name: str) -> Vendor:
        if name not in self._vendors:
            self._vendors[name] = make_vendor(name)
        return self._vendors[name]

    async def requests(self, request: Request) -> Response:
        """Tell what arrived, or forget it, with all that the vendors remember."""
        if request.method == "DELETE":
            self._arrivals.clear()
            self._vendors.clear()
            return Response(status_code=204)
        query = request.query_params
        try:
            since, limit = int(query.get("since", 0)), int(query.get("limit", PAGE))
        except ValueError:
            return _json({"error": "since and limit are whole numbers"}, 422)
        return _json(self._arrivals.page(since, max(limit, 0), query.get("vendor")))

    async def held(self, _: Request) -> Response:
        """List the requests that a pause holds."""
        return _json(self._pauses.list())

    async def release(self, _: Request) -> Response:
        """Let what is held go on."""
        self._pauses.release()
        return Response(status_code=204)

    async def faults(self, request: Request) -> Response:
        """Put a fault in force, list them, or take all of them back."""
        if request.method == "DELETE":
            self._faults.clear()
            return Response(status_code=204)
        if request.method == "GET":
            return _json(self._faults.list())
        try:
            fault = msgspec.json.decode(await request.body(), type=Fault)
        except msgspec.ValidationError as error:
            return _json({"error": str(error)}, 422)
        except msgspec.DecodeError as error:
            return _json({"error": f"not JSON: {error}"}, 422)
        if fault.fault == "refuse":
            shutting = BackgroundTask(self._shut, fault.seconds or REFUSED_SECONDS)
            return _json(msgspec.structs.replace(fault, vendor=None, path=""), 201, shutting)
        self._faults.add(fault)
        return _json(fault, 201)


def create(shut: Callable[[float], Awaitable[None]]) -> Starlette:
    """Make the application."""
    sandbox = Sandbox(shut)
    return Starlette(
        routes=[
            Route("/__sandbox__/requests", sandbox.requests, methods=["GET", "DELETE"]),
            Route("/__sandbox__/faults", sandbox.faults, methods=["GET", "POST", "DELETE"]),
            Mount("/amocrm", amocrm.create()),  # it has controls of its own
            Route("/__sandbox__/held", sandbox.held, methods=["GET"]),
            Route("/__sandbox__/release", sandbox.release, methods=["POST"]),
            Route("/{vendor}", sandbox),
            Route("/{vendor}{path:path}", sandbox),
        ]
    )


def _json(content: object, status: int = 200, background: BackgroundTask | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json", background=background)


async def _body(receive: Receive) -> bytes | None:
    """Read a body; None where the client left before all of it was read."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _place(scope: Scope) -> tuple[str, str]:
    _, vendor, *rest = scope["path"].split("/", 2)
    return vendor, "/" + "".join(rest)


def _arrived(scope: Scope, body: bytes) -> VendorRequest:
    vendor, path = _place(scope)
    return VendorRequest(
        vendor=vendor,
        method=scope["method"],
        path=path,
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
    )
