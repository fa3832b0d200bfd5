"""A client of one account's API: with its token, within its limit, at its own address and no other."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeAlias

import msgspec
from yarl import URL

from relay.accounts.answers import JsonObject, Pause, parse_account_answer, required_pause
from relay.accounts.limiter import Limiter
from relay.accounts.tokens import TokenProvider
from relay.errors import AccountRefused, AccountUnavailable
from relay.logs import log
from relay.masking import mask_people, mask_secrets
from relay.model import Json
from relay.transport import Request, Response, Session, TransportFailure, call

Params: TypeAlias = Mapping[str, str | int | Sequence[str]]
"""A query. A sequence repeats its name, as in filter[id][]."""

CALL_MS = 15_000
MAX_TRIES = 4  # of a request that is answered with a pause
PAGE_SIZE = 100
_MAX_PAGES = 10_000


class AccountClient:
    """Sends requests to one account. Every method raises AccountRefused, AccountUnavailable, StoreUnavailable.

    No message of these errors holds a secret.
    """

    def __init__(self, source: str, url: str, tokens: TokenProvider, limiter: Limiter, session: Session) -> None:
        self.source = source
        self._url = url
        self._tokens = tokens
        self._limiter = limiter
        self._session = session

    async def get(self, path: str, params: Params | None = None) -> JsonObject | None:
        """Read something. Returns None where there is nothing (204, or 404 of something that was asked for)."""
        return await self._send("GET", path, params or {}, b"")

    async def post(self, path: str, body: Json) -> JsonObject | None:
        """Create or set something."""
        return await self._send("POST", path, {}, msgspec.json.encode(body))

    async def delete(self, path: str, body: Json = None) -> JsonObject | None:
        """Remove something. For some paths the body says what."""
        return await self._send("DELETE", path, {}, b"" if body is None else msgspec.json.encode(body))

    async def pages(
        self, path: str, name: str, params: Params | None = None, *, first: int = 1, limit: int = PAGE_SIZE
    ) -> AsyncIterator[Sequence[JsonObject]]:
        """Read a list page by page; `name` is its name in `_embedded`, `first` the number of the first page.

        Pages are requested by number: an address that an answer names is never called.
        """
        for page in range(first, first + _MAX_PAGES):
            answer = await self.get(path, {**(params or {}), "page": page, "limit": limit})
            items = embedded_items(answer, name)
            if items:
                yield items
            if not items or "next" not in ((answer or {}).get("_links") or {}):
                return

    async def _send(self, method: str, path: str, params: Params, body: bytes) -> JsonObject | None:
        name = f"{self.source}: {method} {path}"
        token, renewed = await self._tokens.current_token(), False
        pause: Pause | None = None
        for tries in range(MAX_TRIES):
            answer = await self._call(name, self._request(method, path, params, body, token))
            if answer.status == 401 and not renewed:
                token, renewed = await self._tokens.renew(token), True
                answer = await self._call(name, self._request(method, path, params, body, token))
            pause = required_pause(answer, tries, self._limiter.now())
            if pause is None:
                return self._parse(name, answer)
            pause = msgspec.structs.replace(pause, ms=pause.ms + random.randrange(pause.ms // 4 + 1))
            log.warning("account.paused", source=self.source, ms=pause.ms, reason=pause.reason)
            await self._limiter.pause(pause)
        raise AccountUnavailable(f"{name}: {pause.reason if pause else ''}", pause.ms if pause else None)

    async def _call(self, name: str, request: Request) -> Response:
        await self._limiter.acquire()
        answer = await call(self._session, request)
        if isinstance(answer, TransportFailure):
            raise AccountUnavailable(f"{name}: {answer.reason}")
        return answer

    def _parse(self, name: str, answer: Response) -> JsonObject | None:
        try:
            return parse_account_answer(name, answer)
        except AccountRefused as error:
            # It may quote our hook's address, which holds a token.
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
    """Return the items on a page of a list; none where there is no list."""
    found = ((answer or {}).get("_embedded") or {}).get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
