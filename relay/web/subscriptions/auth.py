"""Let API users in: by login and hash in the query, by the session of auth.php, or by their token."""

import hmac
import secrets
from collections.abc import Callable, Iterable
from hashlib import sha256

from pydantic import SecretStr
from starlette.requests import Request

from relay.config.api_users import ApiUser
from relay.logs import log
from relay.store.access import Access
from relay.web.subscriptions.errors import ApiError

COOKIE = "session_id"
WRONG, LOCKED = 110, 111  # v1's error codes
_NOBODY = SecretStr("")


class Authenticator:
    """Tells who asks. Nothing of what was said to prove it reaches a log."""

    def __init__(self, users: Callable[[], tuple[ApiUser, ...]], access: Access) -> None:
        self._users = users
        self._access = access

    async def enter(self, request: Request) -> ApiUser:
        """Return the user who makes a request. The first proof counts that is there: token, then hash, then session.

        Raises RefusedError: 401, or 403 and 429 after too many wrong attempts.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._admit(
                "token", "", _owner(self._users(), token.strip(), lambda user: _secret(user.token))
            )
        if "USER_LOGIN" in request.query_params or "USER_HASH" in request.query_params:
            return await self.by_hash(
                request.query_params.get("USER_LOGIN", ""), request.query_params.get("USER_HASH", "")
            )
        if session := request.cookies.get(COOKIE):
            return await self._by_session(session)
        raise _unknown("no credentials: give USER_LOGIN and USER_HASH, the auth.php session, or a Bearer token")

    async def by_hash(self, login: str, hash: str) -> ApiUser:
        """Return the user with this login and hash. Raises RefusedError."""
        # Somebody is compared for every login: a wrong login takes the time of a wrong hash.
        user = next((user for user in self._users() if user.login == login), None)
        right = _same(_secret(user.hash if user else _NOBODY), hash)
        return await self._admit("hash", login, user if right else None)

    async def open_session(self, user: ApiUser) -> str:
        """Begin a session; it ends by itself, and when the user's hash changes."""
        id = secrets.token_urlsafe(32)
        await self._access.open_session(id, _proof(id, user))
        return id

    async def _by_session(self, id: str) -> ApiUser:
        kept = await self._access.session(id)
        user = _owner(self._users(), kept, lambda user: _proof(id, user))
        if user is None:
            raise _unknown("the session is over: log in at auth.php again")
        return user

    async def _admit(self, kind: str, login: str, user: ApiUser | None) -> ApiUser:
        own, all = await self._access.check_login_rate(kind, login, user is not None)
        if own or all:
            log.warning("access.locked", of="login" if own else kind, ms=own or all)
        if own:
            raise ApiError(
                403, "too many wrong attempts for this login", code=LOCKED, headers={"Retry-After": _seconds(own)}
            )
        if all:
            raise ApiError(429, "too many wrong attempts", code=LOCKED, headers={"Retry-After": _seconds(all)})
        if user is None:
            log.warning("access.refused", kind=kind)
            raise _unknown("wrong login, hash or token")
        return user


def _owner(users: Iterable[ApiUser], said: str, secret: Callable[[ApiUser], str]) -> ApiUser | None:
    """Find the user whose secret was said; all are compared, whoever it is."""
    fitting = [user for user in users if _same(secret(user), said)]
    return fitting[0] if fitting else None


def _same(secret: str, said: str) -> bool:
    """Compare in constant time, by digests: the length does not show either. An empty secret is nobody's."""
    digests = sha256(secret.encode()).digest(), sha256(said.encode()).digest()
    return hmac.compare_digest(*digests) and secret != ""


def _proof(session: str, user: ApiUser) -> str:
    said = f"{user.login}\n{user.source}\n{_secret(user.hash)}"
    return hmac.new(session.encode(), said.encode(), sha256).hexdigest()


def _secret(value: SecretStr) -> str:
    return value.get_secret_value()


def _unknown(detail: str) -> ApiError:
    return ApiError(401, detail, code=WRONG, headers={"WWW-Authenticate": "Bearer"})


def _seconds(ms: int) -> str:
    return str(-(-ms // 1000))
