"""A fake amoCRM account: its API, and the controls of tests and the demo. It sends hooks as amoCRM does.

`POST /__sandbox__/leads` (contacts, companies) creates a record, or each of a list, `PATCH /__sandbox__/leads/1`
changes one, `DELETE` removes it; each answers when its hooks were answered. `POST /__sandbox__/disable` and `/enable`
switch a hook (`{"destination": …}`, default all), `POST /__sandbox__/expire` and `/revoke` end tokens, `PATCH
/__sandbox__/settings` renames, removes (null) and adds pipelines, users and custom fields, `PATCH
/__sandbox__/limits` sets limits (rate, retry_after, block), `GET /__sandbox__/state` returns what was counted.
"""

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay.sandbox.amocrm.access import IssuedTokens, RequestLimits
from relay.sandbox.amocrm.account import SINGULAR, FakeAccount
from relay.sandbox.amocrm.api import FakeApi, problem
from relay.sandbox.amocrm.hooks import send_hooks
from relay.sandbox.amocrm.shapes import HookEvent


class FakeAmocrm:
    """One account with its limits, tokens and API."""

    def __init__(self) -> None:
        self.account = FakeAccount()
        self.limits = RequestLimits()
        self.tokens = IssuedTokens()
        self.api = FakeApi(self.account, self.limits, self.tokens)

    def app(self) -> Starlette:
        """Make the application."""
        control = "/__sandbox__"
        return Starlette(
            routes=[
                Route(f"{control}/state", self.state),
                Route(f"{control}/settings", self.set_up, methods=["PATCH"]),
                Route(f"{control}/limits", self.limit, methods=["PATCH"]),
                Route(f"{control}/disable", self.disable, methods=["POST"]),
                Route(f"{control}/enable", self.enable, methods=["POST"]),
                Route(f"{control}/expire", self.expire, methods=["POST"]),
                Route(f"{control}/revoke", self.revoke, methods=["POST"]),
                Route(f"{control}/{{entities}}", self.create, methods=["POST"]),
                Route(f"{control}/{{entities}}/{{id:int}}", self.change, methods=["PATCH", "DELETE"]),
                *self.api.routes(),
            ]
        )

    async def create(self, request: Request) -> Response:
        """Create records, and send their hooks."""
        entities = request.path_params["entities"]
        if entities not in SINGULAR:
            return problem(404, "Not Found")
        given = await request.json()
        created = [self.account.create(entities, one) for one in (given if isinstance(given, list) else [given])]
        hooks = await self._send_hooks([event for _, events in created for event in events])
        return JSONResponse({"ids": [id for id, _ in created], "hooks": hooks}, 201)

    async def change(self, request: Request) -> Response:
        """Change or remove a record, and send its hooks."""
        entities, id = request.path_params["entities"], request.path_params["id"]
        if id not in self.account.records.get(entities, {}):
            return problem(404, "Not Found")
        if request.method == "DELETE":
            events = self.account.delete(entities, id)
        else:
            events = self.account.change(entities, id, await request.json())
        return JSONResponse({"ids": [id], "hooks": await self._send_hooks(events)})

    async def disable(self, request: Request) -> Response:
        """Disable hooks, as amoCRM does after 100 failures: nothing is sent, but every change becomes an event."""
        return await self._switch(request, disabled=True)

    async def enable(self, request: Request) -> Response:
        """Enable hooks, as a person does in the account."""
        return await self._switch(request, disabled=False)

    async def _switch(self, request: Request, *, disabled: bool) -> Response:
        destination = msgspec.json.decode(await request.body() or b"{}", type=dict[str, str]).get("destination")
        for hook in self.account.hooks.values():
            if destination in (None, hook.destination):
                hook.disabled = disabled
        return Response(status_code=204)

    async def expire(self, _: Request) -> Response:
        """Revoke the access tokens."""
        self.tokens.expire()
        return Response(status_code=204)

    async def revoke(self, _: Request) -> Response:
        """Revoke every token."""
        self.tokens.revoke()
        return Response(status_code=204)

    async def set_up(self, request: Request) -> Response:
        """Change pipelines, users and custom fields, and return all of them."""
        self.account.set_up(await request.json())
        return JSONResponse(self.account.settings)

    async def limit(self, request: Request) -> Response:
        """Set limits. `block` refuses all requests for so many seconds; 0 ends that."""
        given = msgspec.json.decode(await request.body(), type=_Limits)
        if given.rate is not None:
            self.limits.rate = given.rate
        if given.block is not None:
            self.limits.blocked_until = time.monotonic() + given.block
        self.limits.retry_after = given.retry_after
        return Response(status_code=204)

    async def state(self, _: Request) -> Response:
        """Return what was requested and refused."""
        return JSONResponse(
            {
                "asked": dict(self.api.request_counts),
                "throttled": self.limits.throttled,
                "refreshes": self.tokens.refreshes,
                "refused": self.tokens.refused,
                "hooks": [hook.to_json() for hook in self.account.hooks.values()],
                "events": len(self.account.events),
            }
        )

    async def _send_hooks(self, events: Sequence[HookEvent]) -> Any:
        hooks = [(destination, event) for event in events for destination in self.account.listeners(event.event)]
        return msgspec.to_builtins(await send_hooks(hooks))


class _Limits(msgspec.Struct, forbid_unknown_fields=True):
    rate: int | None = None
    retry_after: int | None = None
    block: float | None = None


def create() -> Starlette:
    """Make the application of a new account."""
    return FakeAmocrm().app()
