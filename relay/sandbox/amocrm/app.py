"""A fake amoCRM account: its API, and what tests and the demo tell it to do. It sends the hooks that follow.

`POST /__sandbox__/leads` (contacts, companies) makes a record, or each of a list, `PATCH /__sandbox__/leads/1` changes
one, `DELETE` removes it; each answers when its hooks were answered. `POST /__sandbox__/disable` and `/enable` switch a
hook (`{"destination": …}`, default all), `POST /__sandbox__/expire` and `/revoke` end tokens, `PATCH
/__sandbox__/limits` sets them (rate, retry_after, shut), `GET /__sandbox__/state` tells what was asked.
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
    """One account, and what it was told to do."""

    def __init__(self) -> None:
        self.account = FakeAccount()
        self.limits = RequestLimits()
        self.tokens = IssuedTokens()
        self.api = FakeApi(self.account, self.limits, self.tokens)

    def app(self) -> Starlette:
        """Make the application."""
        own = "/__sandbox__"
        return Starlette(
            routes=[
                Route(f"{own}/state", self.state),
                Route(f"{own}/limits", self.limit, methods=["PATCH"]),
                Route(f"{own}/disable", self.disable, methods=["POST"]),
                Route(f"{own}/enable", self.enable, methods=["POST"]),
                Route(f"{own}/expire", self.expire, methods=["POST"]),
                Route(f"{own}/revoke", self.revoke, methods=["POST"]),
                Route(f"{own}/{{entities}}", self.create, methods=["POST"]),
                Route(f"{own}/{{entities}}/{{id:int}}", self.change, methods=["PATCH", "DELETE"]),
                *self.api.routes(),
            ]
        )

    async def create(self, request: Request) -> Response:
        """Make records, and tell of them."""
        entities = request.path_params["entities"]
        if entities not in SINGULAR:
            return problem(404, "Not Found")
        given = await request.json()
        made = [self.account.create(entities, one) for one in (given if isinstance(given, list) else [given])]
        told = await self._tell([fact for _, facts in made for fact in facts])
        return JSONResponse({"ids": [id for id, _ in made], "hooks": told}, 201)

    async def change(self, request: Request) -> Response:
        """Change or remove a record, and tell of it."""
        entities, id = request.path_params["entities"], request.path_params["id"]
        if id not in self.account.records.get(entities, {}):
            return problem(404, "Not Found")
        if request.method == "DELETE":
            facts = self.account.delete(entities, id)
        else:
            facts = self.account.change(entities, id, await request.json())
        return JSONResponse({"ids": [id], "hooks": await self._tell(facts)})

    async def disable(self, request: Request) -> Response:
        """Disable hooks, as amoCRM does after 100 failures: nothing is sent, and everything remembered."""
        return await self._switch(request, disabled=True)

    async def enable(self, request: Request) -> Response:
        """Enable hooks, as a person does in the account."""
        return await self._switch(request, disabled=False)

    async def _switch(self, request: Request, *, disabled: bool) -> Response:
        wanted = msgspec.json.decode(await request.body() or b"{}", type=dict[str, str]).get("destination")
        for hook in self.account.hooks.values():
            if wanted in (None, hook.destination):
                hook.disabled = disabled
        return Response(status_code=204)

    async def expire(self, _: Request) -> Response:
        """End the access tokens."""
        self.tokens.expire()
        return Response(status_code=204)

    async def revoke(self, _: Request) -> Response:
        """End every token."""
        self.tokens.revoke()
        return Response(status_code=204)

    async def limit(self, request: Request) -> Response:
        """Set limits. `shut` shuts everybody out for so many seconds, 0 lets them in again."""
        given = msgspec.json.decode(await request.body(), type=_Limits)
        if given.rate is not None:
            self.limits.rate = given.rate
        if given.shut is not None:
            self.limits.blocked_until = time.monotonic() + given.shut
        self.limits.retry_after = given.retry_after
        return Response(status_code=204)

    async def state(self, _: Request) -> Response:
        """Tell what was asked, and how it went."""
        return JSONResponse(
            {
                "asked": dict(self.api.asked),
                "throttled": self.limits.throttled,
                "refreshes": self.tokens.refreshes,
                "refused": self.tokens.refused,
                "hooks": [hook.to_json() for hook in self.account.hooks.values()],
                "events": len(self.account.events),
            }
        )

    async def _tell(self, facts: Sequence[HookEvent]) -> Any:
        letters = [(destination, fact) for fact in facts for destination in self.account.listeners(fact.event)]
        return msgspec.to_builtins(await send_hooks(letters))


class _Limits(msgspec.Struct, forbid_unknown_fields=True):
    rate: int | None = None
    retry_after: int | None = None
    shut: float | None = None


def create() -> Starlette:
    """Make the application of a new account."""
    return FakeAmocrm().app()
