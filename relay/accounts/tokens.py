"""The token that a request goes under: a long-lived one, or OAuth's, renewed by one worker for all of them."""

import hashlib
import time
from typing import Protocol

import msgspec
from pydantic import SecretStr

from relay.accounts.encryption import Encrypter
from relay.errors import AccountRefused
from relay.model import Record
from relay.store.shared_state import SharedState

KEPT_MS = 120 * 24 * 3600 * 1000  # amoCRM takes a refresh token for three months


class TokenProvider(Protocol):
    """Where a client has its tokens from."""

    async def current_token(self) -> str:
        """Return the token to ask with. Raises AccountRefused, AccountUnavailable, StoreUnavailable."""

    async def renew(self, refused: str, /) -> str:
        """Return another token than one that amoCRM answered 401. Raises as `current` does."""


class LongLivedToken:
    """A token that a person made in amoCRM, and must make anew when it has expired."""

    def __init__(self, source: str, token: SecretStr) -> None:
        self._source = source
        self._token = token

    async def current_token(self) -> str:
        """Return the token."""
        return self._token.get_secret_value()

    async def renew(self, _refused: str, /) -> str:
        """Raise AccountRefused: nobody but a person can renew it."""
        raise AccountRefused(
            f"amoCRM does not accept the token of {self._source} any more: it has expired or was revoked. "
            f"Make a new long-lived token and write it into sources.{self._source}.api.token"
        )


class TokenPair(Record):
    """The two tokens that amoCRM gives together. The refresh token works once."""

    access: str
    refresh: str
    expires_at: int  # epoch milliseconds

    def __repr__(self) -> str:
        return f"<Pair until {self.expires_at}>"

    def is_valid_for(self, ms: int) -> bool:
        """Return whether the access token is good for so much longer."""
        return self.expires_at - time.time_ns() // 1_000_000 > ms


class TokenStore:
    """The newest pair of one source: both tokens in one encrypted value, so that neither is ever there alone.

    A pair descends from the refresh token that is configured; where another one is written there, it counts no more.
    Every method raises StoreUnavailable.
    """

    def __init__(self, source: str, first: SecretStr, shared: SharedState, vault: Encrypter) -> None:
        self._source = source
        self._first = first
        self._shared = shared
        self._vault = vault
        self._seed = token_digest(first.get_secret_value()).encode()
        self._key = f"account:{source}:tokens"

    async def load(self) -> TokenPair:
        """Return the newest pair; before the first renewal its access token is empty. Raises AccountRefused."""
        seed, _, sealed = (await self._shared.get(self._key) or b"").partition(b":")
        if seed != self._seed:
            return TokenPair(access="", refresh=self._first.get_secret_value(), expires_at=0)
        opened = self._vault.decrypt(sealed)
        if opened is None:
            raise AccountRefused(
                f"the tokens of {self._source} were encrypted with another RELAY_SECRET_KEY: set that one again, or "
                f"authorise the integration anew and write its sources.{self._source}.api.oauth.refresh_token"
            )
        return msgspec.json.decode(opened, type=TokenPair)

    async def save(self, pair: TokenPair) -> None:
        """Keep a new pair."""
        await self._shared.put(self._key, self._seed + b":" + self._vault.encrypt(msgspec.json.encode(pair)), KEPT_MS)


def token_digest(token: str) -> str:
    """Return a name for a token that tells nothing of it."""
    return hashlib.blake2b(token.encode(), digest_size=16, person=b"amo-relay token").hexdigest()
