"""OAuth: the worker that finds the tokens expired renews them, for all workers.

A refresh token works once. If amoCRM has accepted it and the new pair does not reach the store (the process was killed
in between, or the answer was lost), a person must authorise the integration again. So the pair is saved before anything
else happens, and a store that is unavailable is waited for.
"""

import msgspec
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential
from yarl import URL

from relay.accounts.answers import JsonObject, parse_account_answer
from relay.accounts.tokens import TokenPair, TokenStore, token_digest
from relay.config.api import OAuthSettings
from relay.durations import read_lifetime_ms
from relay.errors import AccountRefused, AccountUnavailable, StoreUnavailable
from relay.logs import log
from relay.model import Record
from relay.store.shared_state import SharedState
from relay.transport import Request, Session, TransportFailure, call

EARLY_MS = 60_000  # a token that expires so soon is renewed before it is used
CALL_MS, SAVE_SECONDS = 15_000, 30.0
LOCK_MS = 60_000  # longer than one call and one save take
UNKNOWN_LIFETIME_MS = 3600_000  # amoCRM's are good for a day; a pair must be kept, whatever it says of its end
REFUSED_MS = 60_000  # for so long no other worker tries a refresh token that was refused


class _TokenResponse(Record):
    access_token: str
    refresh_token: str
    expires_in: object = None


class OAuthTokens:
    """Provides the tokens of one source's integration."""

    def __init__(
        self, source: str, url: str, settings: OAuthSettings, store: TokenStore, shared: SharedState, session: Session
    ) -> None:
        self._source = source
        self._url = url
        self._settings = settings
        self._store = store
        self._shared = shared
        self._session = session
        self._pair: TokenPair | None = None

    async def current_token(self) -> str:
        """Return the access token, renewed where it has expired."""
        if self._pair is None or not self._pair.is_valid_for(EARLY_MS, self._shared.clock.ms()):
            self._pair = await self._newest_pair("")
        return self._pair.access

    async def renew(self, refused: str, /) -> str:
        """Return another access token than the refused one, renewed by this worker or meanwhile by another."""
        self._pair = await self._newest_pair(refused)
        return self._pair.access

    async def _newest_pair(self, refused: str) -> TokenPair:
        """Return the newest pair. Where it is not usable, one of all workers renews it."""

        async def find() -> TokenPair | None:
            pair = await self._store.load()
            return pair if _is_usable(pair, refused, self._shared.clock.ms()) else None

        pair = await self._shared.find_or_make(
            find, self._renew, lock=f"account:{self._source}:renewing", lock_ms=LOCK_MS, wait_ms=LOCK_MS
        )
        if pair is None:
            raise AccountUnavailable(f"{self._source}: another worker has been renewing the token for a minute")
        return pair

    async def _renew(self) -> TokenPair:
        refresh = (await self._store.load()).refresh
        key = f"account:{self._source}:refused:{token_digest(refresh)}"
        if reason := await self._shared.get(key):
            raise AccountRefused(reason.decode())
        try:
            pair = _pair_from(await self._request(refresh), self._shared.clock.ms())
        except AccountRefused as error:
            message = (
                f"{error}. The refresh token of {self._source} was used before, has expired or was revoked: authorise "
                f"the integration again and write its new sources.{self._source}.api.oauth.refresh_token"
            )
            await self._shared.put(key, message.encode(), REFUSED_MS)
            raise AccountRefused(message) from None
        await self._save(pair)
        log.info("account.token_renewed", source=self._source)
        return pair

    async def _request(self, refresh: str) -> JsonObject | None:
        name = f"renewing the token of {self._source}"
        body = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
            "grant_type": "refresh_token",
            "refresh_token": refresh,
            "redirect_uri": self._settings.redirect_uri,
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
            raise AccountUnavailable(f"{name}: {answer.reason}")
        if answer.status in (403, 429):  # about the account, not about the token
            raise AccountUnavailable(f"{name}: amoCRM answers {answer.status}")
        return parse_account_answer(name, answer)

    async def _save(self, pair: TokenPair) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(StoreUnavailable),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            stop=stop_after_delay(SAVE_SECONDS),
            reraise=True,
        )
        try:
            await retrying(self._store.save, pair)
        except StoreUnavailable:
            log.error("account.token_unsaved", source=self._source)  # only this process has the pair
            raise


def _is_usable(pair: TokenPair, refused: str, now: int) -> bool:
    """Return whether the access token of a pair can be used: it is not the refused one, and will not expire soon."""
    return pair.access not in ("", refused) and pair.is_valid_for(EARLY_MS if not refused else 0, now)


def _pair_from(answer: JsonObject | None, now: int) -> TokenPair:
    try:
        response = msgspec.convert(answer, _TokenResponse)
    except msgspec.ValidationError as error:
        raise AccountUnavailable(f"amoCRM's answer holds no new tokens: {error}") from None
    expires_at = now + read_lifetime_ms(response.expires_in, UNKNOWN_LIFETIME_MS)
    return TokenPair(access=response.access_token, refresh=response.refresh_token, expires_at=expires_at)
