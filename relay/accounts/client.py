"""A client of one account's API: under its token, within its limit, at its own address and no other."""

import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeAlias

import msgspec
from yarl import URL

from relay.accounts.answers import JsonObject, Pause, parse_answer, required_pause
from relay.accounts.limiter import Limiter
from relay.accounts.tokens import TokenProvider
from relay.errors import AccountRefused, AccountUnavailable
from relay.logs import log
from relay.masking import mask_people, mask_secrets
from relay.model import Json
from relay.transport import Request, Response, Session, TransportFailure, call

Params: TypeAlias = Mapping[str, str | int | Sequence[str]]
"""A query; a sequence repeats its name, as in filter[id][]."""

CALL_MS = 15_000
TRIES = 4
PAGE = 100
_MOST_PAGES = 10_000


class AccountClient:
    """Asks one account. Every method raises AccountRefused, AccountUnavailable, StoreUnavailable; none has secrets."""

    def __init__(self, source: str, url: str, tokens: TokenProvider, limiter: Limiter, session: Session) -> None:
        self.source = source
        self._url = url
        self._tokens = tokens
        self._limiter = limiter
        self._session = session

    async def get(self, path: str, params: Params | None = None) -> JsonObject | None:
        """Read something; None where there is nothing (204, or 404 of what was asked for)."""
        return await self._ask("GET", path, params or {}, b"")

    async def post(self, path: str, body: Json) -> JsonObject | None:
        """Make or set something."""
        return await self._ask("POST", path, {}, msgspec.json.encode(body))

    async def delete(self, path: str, body: Json = None) -> JsonObject | None:
        """Remove something; amoCRM wants to be told in a body what."""
        return await self._ask("DELETE", path, {}, b"" if body is None else msgspec.json.encode(body))

    async def pages(
        self, path: str, name: str, params: Params | None = None, *, first: int = 1, limit: int = PAGE
    ) -> AsyncIterator[Sequence[JsonObject]]:
        """Read a list page by page; `name` is what `_embedded` calls it, `first` the page to begin with.

        The next page is asked for by its number: an address that an answer names is never called.
        """
        for page in range(first, first + _MOST_PAGES):
            answer = await self.get(path, {**(params or {}), "page": page, "limit": limit})
            items = embedded_items(answer, name)
            if items:
                yield items
            if not items or "next" not in ((answer or {}).get("_links") or {}):
                return

    async def _ask(self, method: str, path: str, params: Params, body: bytes) -> JsonObject | None:
        what = f"{self.source}: {method} {path}"
        token, renewed = await self._tokens.current_token(), False
        paused: Pause | None = None
        for tried in range(TRIES):
            answer = await self._call(what, self._request(method, path, params, body, token))
            if answer.status == 401 and not renewed:
                token, renewed = await self._tokens.renew(token), True
                answer = await self._call(what, self._request(method, path, params, body, token))
            paused = required_pause(answer, tried, time.time_ns() // 1_000_000)
            if paused is None:
                return self._read(what, answer)
            paused = msgspec.structs.replace(paused, ms=paused.ms + random.randrange(paused.ms // 4 + 1))
            log.warning("account.paused", source=self.source, ms=paused.ms, reason=paused.reason)
            await self._limiter.close(paused)
        raise AccountUnavailable(f"{what}: {paused.reason if paused else ''}", paused.ms if paused else None)

    async def _call(self, what: str, request: Request) -> Response:
        await self._limiter.take()
        answer = await call(self._session, request)
        if isinstance(answer, TransportFailure):
            raise AccountUnavailable(f"{what}: {answer.reason}")
        return answer

    def _read(self, what: str, answer: Response) -> JsonObject | None:
        try:
            return parse_answer(what, answer)
        except AccountRefused as error:
            # It may repeat our hook's address, which holds a token.
            raise AccountRefused(mask_people(mask_secrets(str(error)))) from None

    def _request(self, method: str, path: str, params: Params, body: bytes, token: str) -> Request:
        assert path.startswith("/api/")
        headers = {"Authorization": f"Bearer {token}"}
        return Request(
            method=method,
            url=URL(self._url + path).with_query(params),
            headers={**headers, "Content-Type": "application/json"} if body else headers,
            body=body,
            timeout_ms=CALL_MS,
        )


def embedded_items(answer: JsonObject | None, name: str) -> Sequence[JsonObject]:
    """Return the items of a list's page; none where there is none."""
    found = ((answer or {}).get("_embedded") or {}).get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
