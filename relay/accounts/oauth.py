"""OAuth: whoever finds the tokens expired renews them, once for all workers.

A refresh token works once. If amoCRM has taken it and the new pair did not reach the store (the process was killed
between the two, the answer was lost), only a person can authorise the integration again: so the pair is saved before
anything else happens, and the store is waited for.
"""

import time

import msgspec
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential
from yarl import URL

from relay.accounts.answers import JsonObject, parse_answer
from relay.accounts.tokens import TokenPair, TokenStore, token_digest
from relay.config.api import OAuthSettings
from relay.errors import AccountRefused, AccountUnavailable, StoreUnavailable
from relay.logs import log
from relay.model import Record
from relay.store.shared_state import SharedState
from relay.transport import Request, Session, TransportFailure, call

EARLY_MS = 60_000  # a token that ends so soon is renewed before it is used
CALL_MS, SAVE_SECONDS = 15_000, 30.0
LOCK_MS = 60_000  # longer than a call and a save
REFUSED_MS = 60_000  # for so long nobody else tries a refresh token that was refused


class _Given(Record):
    access_token: str
    refresh_token: str
    expires_in: int  # seconds


class OAuthTokens:
    """The tokens of one source's integration."""

    def __init__(
        self, source: str, url: str, keys: OAuthSettings, pairs: TokenStore, shared: SharedState, session: Session
    ) -> None:
        self._source = source
        self._url = url
        self._keys = keys
        self._pairs = pairs
        self._shared = shared
        self._session = session
        self._pair: TokenPair | None = None

    async def current_token(self) -> str:
        """Return the access token, renewed where it has expired."""
        if self._pair is None or not self._pair.is_valid_for(EARLY_MS):
            self._pair = await self._renewed("")
        return self._pair.access

    async def renew(self, refused: str, /) -> str:
        """Return an access token other than the refused one: renewed here, or meanwhile by another worker."""
        self._pair = await self._renewed(refused)
        return self._pair.access

    async def _renewed(self, refused: str) -> TokenPair:
        """Return the newest pair, renewed by one of all workers where it is not good to ask with."""

        async def newest() -> TokenPair | None:
            pair = await self._pairs.load()
            return pair if _good(pair, refused) else None

        pair = await self._shared.find_or_make(
            newest, self._renew, lock=f"account:{self._source}:renewing", lock_ms=LOCK_MS, wait_ms=LOCK_MS
        )
        if pair is None:
            raise AccountUnavailable(f"{self._source}: another worker has been renewing the token for a minute")
        return pair

    async def _renew(self) -> TokenPair:
        refresh = (await self._pairs.load()).refresh
        known = f"account:{self._source}:refused:{token_digest(refresh)}"
        if reason := await self._shared.get(known):
            raise AccountRefused(reason.decode())
        try:
            pair = _pair(await self._ask(refresh))
        except AccountRefused as error:
            text = (
                f"{error}. The refresh token of {self._source} was used before, has expired or was revoked: authorise "
                f"the integration again and write its new sources.{self._source}.api.oauth.refresh_token"
            )
            await self._shared.put(known, text.encode(), REFUSED_MS)
            raise AccountRefused(text) from None
        await self._save(pair)
        log.info("account.token_renewed", source=self._source)
        return pair

    async def _ask(self, refresh: str) -> JsonObject | None:
        what = f"renewing the token of {self._source}"
        body = {
            "client_id": self._keys.client_id,
            "client_secret": self._keys.client_secret.get_secret_value(),
            "grant_type": "refresh_token",
            "refresh_token": refresh,
            "redirect_uri": self._keys.redirect_uri,
        }
        request = Request(
            method="POST",
            url=URL(f"{self._url}/oauth2/access_token"),
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode(body),
            timeout_ms=CALL_MS,
        )
        answer = await call(self._session, request)
        if isinstance(answer, TransportFailure):
            raise AccountUnavailable(f"{what}: {answer.reason}")
        if answer.status in (403, 429):  # of the account, not of the token
            raise AccountUnavailable(f"{what}: amoCRM answers {answer.status}")
        return parse_answer(what, answer)

    async def _save(self, pair: TokenPair) -> None:
        waiting = AsyncRetrying(
            retry=retry_if_exception_type(StoreUnavailable),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            stop=stop_after_delay(SAVE_SECONDS),
            reraise=True,
        )
        try:
            await waiting(self._pairs.save, pair)
        except StoreUnavailable:
            log.error("account.token_unsaved", source=self._source)  # this process still has it, no other ever will
            raise


def _good(pair: TokenPair, refused: str) -> bool:
    """Return whether a pair is one to ask with. One that was just refused is not; without any, one that lasts is."""
    return pair.access not in ("", refused) and pair.is_valid_for(EARLY_MS if not refused else 0)


def _pair(answer: JsonObject | None) -> TokenPair:
    try:
        given = msgspec.convert(answer, _Given)
    except msgspec.ValidationError as error:
        raise AccountUnavailable(f"amoCRM's answer holds no new tokens: {error}") from None
    expires_at = time.time_ns() // 1_000_000 + given.expires_in * 1000
    return TokenPair(access=given.access_token, refresh=given.refresh_token, expires_at=expires_at)
