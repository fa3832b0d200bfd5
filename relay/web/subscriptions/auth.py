"""Authenticate API users: by login and hash in the query, by the session of auth.php, by their token or its JWT."""

import hmac
import secrets
from collections.abc import Callable, Iterable
from hashlib import sha256

from starlette.requests import Request

from relay.config.api_users import ApiUser
from relay.logs import log
from relay.secret import SecretStr
from relay.store.access import Access
from relay.web.peers import peer_name
from relay.web.subscriptions.errors import ApiError
from relay.web.subscriptions.jwt import has_expired, sign, split_jwt

SESSION_COOKIE = "session_id"
WRONG_CREDENTIALS, LOCKED = 110, 111  # v1's error codes
_NO_SECRET = SecretStr("")


class Authenticator:
    """Finds out which user makes a request. No credentials reach a log."""

    def __init__(self, users: Callable[[], tuple[ApiUser, ...]], access: Access) -> None:
        self._users = users
        self._access = access

    async def authenticate(self, request: Request) -> ApiUser:
        """Return the user who makes a request, by the first of these that it has: token, hash, session.

        Raises ApiError: 401, or 403 and 429 after too many wrong attempts of the same peer.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._by_token(token.strip(), peer_name(request))
        query = request.query_params
        if "USER_LOGIN" in query or "USER_HASH" in query:
            return await self.by_hash(query.get("USER_LOGIN", ""), query.get("USER_HASH", ""), peer_name(request))
        if session := request.cookies.get(SESSION_COOKIE):
            return await self._by_session(session)
        raise _unauthorized("no credentials: give USER_LOGIN and USER_HASH, the auth.php session, or a Bearer token")

    async def by_hash(self, login: str, hash: str, peer: str) -> ApiUser:
        """Return the user with this login and hash. Raises ApiError.

        A peer that guesses the hashes of a login must wait, with the right one too; no other peer does.
        """
        # A hash is compared for every login: a wrong login takes as long as a wrong hash.
        user = next((user for user in self._users() if user.login == login), None)
        right = _equal(_secret_of(user.hash if user else _NO_SECRET), hash)
        login_ms, all_ms = await self._access.check_login_rate("hash", peer, login, right)
        if login_ms:
            log.warning("access.locked", of="login", ms=login_ms)
            raise _locked(403, "too many wrong attempts for this login", login_ms)
        if user is None or not right:
            raise _refusal("hash", all_ms)
        return user

    async def open_session(self, user: ApiUser) -> str:
        """Open a session and return its id. It ends by itself, and when the user's hash changes."""
        id = secrets.token_urlsafe(32)
        await self._access.open_session(id, _session_proof(id, user))
        return id

    async def _by_token(self, token: str, peer: str) -> ApiUser:
        """Return the user with this token. The right one is never refused: it names its user and cannot be guessed."""
        user = _find_user(self._users(), token, lambda user: _secret_of(user.token))
        signed, signature = split_jwt(token)
        if user is None and signed:
            user = _find_user(self._users(), signature, lambda user: sign(signed, user))
            if user and has_expired(
                signed, int(self._access.clock.seconds())
            ):  # nobody guessed: it does not count as a wrong attempt
                raise _unauthorized("the token has expired: the operator's `relay subscriptions token` mints another")
        if user is None:
            _, all_ms = await self._access.check_login_rate("token", peer, "", False)
            raise _refusal("token", all_ms)
        return user

    async def _by_session(self, id: str) -> ApiUser:
        proof = await self._access.session(id)
        user = _find_user(self._users(), proof, lambda user: _session_proof(id, user))
        if user is None:
            raise _unauthorized("the session is over: log in at auth.php again")
        return user


def _find_user(users: Iterable[ApiUser], given: str, secret: Callable[[ApiUser], str]) -> ApiUser | None:
    """Return the user whose secret was given. All are compared, so that the time says nothing about them."""
    found = [user for user in users if _equal(secret(user), given)]
    return found[0] if found else None


def _equal(secret: str, given: str) -> bool:
    """Compare in constant time, by digests: the length does not show either. An empty secret equals nothing."""
    digests = sha256(secret.encode()).digest(), sha256(given.encode()).digest()
    return hmac.compare_digest(*digests) and secret != ""


def _session_proof(session: str, user: ApiUser) -> str:
    """Return what is stored of a session: whose it is, without saying so, and only while the hash is the same."""
    identity = f"{user.login}\n{user.source}\n{_secret_of(user.hash)}"
    return hmac.new(session.encode(), identity.encode(), sha256).hexdigest()


def _secret_of(value: SecretStr) -> str:
    return value.get_secret_value()


def _refusal(kind: str, ms: int) -> ApiError:
    """Return what wrong credentials are told: wrong, or, where their peer has sent too many, to wait so long."""
    if ms:
        log.warning("access.locked", of=kind, ms=ms)
        return _locked(429, "too many wrong attempts", ms)
    log.warning("access.refused", kind=kind)
    return _unauthorized("wrong login, hash or token")


def _unauthorized(detail: str) -> ApiError:
    return ApiError(401, detail, code=WRONG_CREDENTIALS, headers={"WWW-Authenticate": "Bearer"})


def _locked(status: int, detail: str, ms: int) -> ApiError:
    return ApiError(status, detail, code=LOCKED, headers={"Retry-After": str(-(-ms // 1000))})
