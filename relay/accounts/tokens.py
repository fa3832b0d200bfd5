"""The access tokens of an account: a long-lived one, or OAuth's, which one worker renews for all."""

import hashlib
from typing import Protocol

import msgspec

from relay.encryption import Encrypter
from relay.errors import AccountRefused
from relay.model import Record
from relay.secret import SecretStr
from relay.store.shared_state import SharedState

DAY_MS = 24 * 3600 * 1000
REFRESH_MS = 90 * DAY_MS  # for so long, three months, amoCRM accepts a refresh token
TTL_MS = 120 * DAY_MS


class TokenProvider(Protocol):
    """Provides a client with access tokens."""

    async def current_token(self) -> str:
        """Return the token for a request. Raises AccountRefused, AccountUnavailable, StoreUnavailable."""

    async def renew(self, refused: str, /) -> str:
        """Return another token than the one that amoCRM answered with 401. Raises as `current_token` does."""


class LongLivedToken:
    """A token that a person created in amoCRM, and must replace when it has expired."""

    def __init__(self, source: str, token: SecretStr) -> None:
        self._source = source
        self._token = token

    async def current_token(self) -> str:
        """Return the token."""
        return self._token.get_secret_value()

    async def renew(self, _refused: str, /) -> str:
        """Raise AccountRefused: only a person can replace it."""
        raise AccountRefused(
            f"amoCRM does not accept the token of {self._source} any more: it has expired or was revoked. "
            f"Make a new long-lived token and write it into sources.{self._source}.api.token"
        )


class TokenPair(Record):
    """An access token and the refresh token that amoCRM issued with it, which works once."""

    access: str
    refresh: str
    expires_at: int  # epoch milliseconds

    def __repr__(self) -> str:
        return f"<TokenPair until {self.expires_at}>"

    def is_valid_for(self, ms: int, now: int) -> bool:
        """Return whether the access token will be valid for so long from a moment on (epoch milliseconds)."""
        return self.expires_at - now > ms


class TokenEnds(Record):
    """When the tokens of a stored pair end (epoch milliseconds). Each renewal makes both anew."""

    access: int
    refresh: int


class TokenStore:
    """Keeps the newest pair of one source, in one encrypted value, so that no token is ever stored without the other.

    A pair descends from the refresh token that is configured: when another one is configured, it is not used any more.
    Every method raises StoreUnavailable.
    """

    def __init__(self, source: str, first_refresh: SecretStr, shared: SharedState, encrypter: Encrypter) -> None:
        self._source = source
        self._first_refresh = first_refresh
        self._shared = shared
        self._encrypter = encrypter
        self._seed = token_digest(first_refresh.get_secret_value()).encode()
        self._key = f"account:{source}:tokens"

    async def load(self) -> TokenPair:
        """Return the newest pair; before the first renewal its access token is empty. Raises AccountRefused."""
        seed, _, encrypted = (await self._shared.get(self._key) or b"").partition(b":")
        if seed != self._seed:
            return TokenPair(access="", refresh=self._first_refresh.get_secret_value(), expires_at=0)
        decrypted = self._encrypter.decrypt(encrypted)
        if decrypted is None:
            raise AccountRefused(
                f"the tokens of {self._source} were encrypted with another RELAY_SECRET_KEY: set that one again, or "
                f"authorise the integration anew and write its sources.{self._source}.api.oauth.refresh_token"
            )
        return msgspec.json.decode(decrypted, type=TokenPair)

    async def ends(self) -> TokenEnds | None:
        """Return when the tokens of the newest pair end; None before the first renewal. Raises AccountRefused."""
        pair, left = await self.load(), await self._shared.time_left(self._key)
        if not pair.access or left is None:
            return None
        return TokenEnds(access=pair.expires_at, refresh=self._shared.clock.ms() + left - TTL_MS + REFRESH_MS)

    async def save(self, pair: TokenPair) -> None:
        """Store a new pair."""
        encrypted = self._encrypter.encrypt(msgspec.json.encode(pair))
        await self._shared.put(self._key, self._seed + b":" + encrypted, TTL_MS)


def token_digest(token: str) -> str:
    """Return a digest that identifies a token and does not reveal it."""
    return hashlib.blake2b(token.encode(), digest_size=16, person=b"amo-relay token").hexdigest()
