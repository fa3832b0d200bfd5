"""The fakes as one application: each vendor under its own path, and the controls of tests and the demo.

`GET /__sandbox__/requests?vendor=&since=&limit=` returns the request log, `DELETE` clears it. `POST
/__sandbox__/faults` adds a fault (see `relay.sandbox.faults.InjectedFault`), `GET` lists them, `DELETE` removes them.
`GET /__sandbox__/paused` lists the paused requests, `POST /__sandbox__/release` lets them go on. Under `/amocrm` is a
fake account (see `relay.sandbox.amocrm`).
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
from relay.sandbox.faults import Faults, Point, parse_fault
from relay.sandbox.pauses import PausedRequest, Pauses
from relay.sandbox.request_log import RequestLog
from relay.sandbox.vendors import make_vendor
from relay.sandbox.vendors.base import Answer, Vendor, VendorRequest
from relay.sandbox.wire import ClientConnection

PAGE = 1000
REFUSED_SECONDS = 5.0
PointReached: TypeAlias = Callable[[Point], Awaitable[None]]
_NOTHING = Answer(content={"ok": False}, stored=False)


class FakeVendors:
    """All vendors, the log of their requests, and the faults in force. `close_port` closes it for so many seconds."""

    def __init__(self, close_port: Callable[[float], Awaitable[None]]) -> None:
        self._close_port = close_port
        self._vendors: dict[str, Vendor] = {}
        self.log = RequestLog()
        self.faults_in_force = Faults()
        self.pauses = Pauses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a vendor answer one request."""
        vendor, path = _split_path(scope)

        async def point(at: Point) -> None:
            if pause := self.faults_in_force.take(vendor, path, at):
                await self.pauses.pause(
                    pause, PausedRequest(vendor=vendor, path=path, at=at), ClientConnection(scope, receive)
                )

        await point("before-read")
        body = await _body(receive)
        if body is not None:
            await self._answer(_vendor_request(scope, body), point, scope, receive, send)

    async def _answer(
        self, request: VendorRequest, point: PointReached, scope: Scope, receive: Receive, send: Send
    ) -> None:
        fault = self.faults_in_force.take(request.vendor, request.path)
        if fault is not None and not fault.stores:
            self.log.add(request, None, fault.answers, fault.fault)
            await respond_with_fault(fault, _NOTHING, scope, receive, send)
            return
        vendor = self.vendor(request.vendor)
        answer = vendor.answer(request)
        try:
            await point("stored")
            if fault is None:
                self.log.add(request, answer, answer.status, "")
                await point("before-answer")
                await to_response(answer)(scope, receive, send)
                await point("answered")
            else:
                self.log.add(request, answer, fault.answers, fault.fault)
                await respond_with_fault(fault, answer, scope, receive, send)
        finally:
            vendor.on_finished(request)

    def vendor(self, name: str) -> Vendor:
        """Return a vendor, with all that it remembers."""
        if name not in self._vendors:
            self._vendors[name] = make_vendor(name)
        return self._vendors[name]

    async def requests(self, request: Request) -> Response:
        """Return the log, or clear it, with all that the vendors remember."""
        if request.method == "DELETE":
            self.log.clear()
            self._vendors.clear()
            return Response(status_code=204)
        query = request.query_params
        try:
            since, limit = int(query.get("since", 0)), int(query.get("limit", PAGE))
        except ValueError:
            return _json({"error": "since and limit are whole numbers"}, 422)
        return _json(self.log.page(since, max(limit, 0), query.get("vendor")))

    async def paused(self, _: Request) -> Response:
        """List the paused requests."""
        return _json(self.pauses.list())

    async def release(self, _: Request) -> Response:
        """Let the paused requests go on."""
        self.pauses.release()
        return Response(status_code=204)

    async def faults(self, request: Request) -> Response:
        """Add a fault, list them, or remove all of them."""
        if request.method == "DELETE":
            self.faults_in_force.clear()
            return Response(status_code=204)
        if request.method == "GET":
            return _json(self.faults_in_force.list())
        try:
            fault = parse_fault(await request.body())
        except ValueError as error:
            return _json({"error": str(error)}, 422)
        if fault.fault == "refuse":
            closing = BackgroundTask(self._close_port, fault.seconds or REFUSED_SECONDS)
            return _json(msgspec.structs.replace(fault, vendor=None, path=""), 201, closing)
        self.faults_in_force.add(fault)
        return _json(fault, 201)


def create(sandbox: FakeVendors) -> Starlette:
    """Make the application."""
    return Starlette(
        routes=[
            Route("/__sandbox__/requests", sandbox.requests, methods=["GET", "DELETE"]),
            Route("/__sandbox__/faults", sandbox.faults, methods=["GET", "POST", "DELETE"]),
            Mount("/amocrm", amocrm.create()),  # it has controls of its own
            Route("/__sandbox__/paused", sandbox.paused, methods=["GET"]),
            Route("/__sandbox__/release", sandbox.release, methods=["POST"]),
            Route("/{vendor}", sandbox),
            Route("/{vendor}{path:path}", sandbox),
        ]
    )


def _json(content: object, status: int = 200, background: BackgroundTask | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json", background=background)


async def _body(receive: Receive) -> bytes | None:
    """Read a body; None where the client disconnected before the end."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _split_path(scope: Scope) -> tuple[str, str]:
    _, vendor, *rest = scope["path"].split("/", 2)
    return vendor, "/" + "".join(rest)


def _vendor_request(scope: Scope, body: bytes) -> VendorRequest:
    vendor, path = _split_path(scope)
    return VendorRequest(
        vendor=vendor,
        method=scope["method"],
        path=path,
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
    )
