"""Who may see more than whether the relay lives: the bearers of the operators' tokens, and this machine itself."""

import hmac
from collections.abc import Awaitable, Callable
from enum import StrEnum
from hashlib import sha256
from ipaddress import ip_address
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from relay.secret import SecretStr

TOKEN_NOT_SET: Final = "RELAY_ADMIN_TOKEN is not set"
_FORWARDED_HEADERS = ("forwarded", "x-real-ip")
_FORWARDED_PREFIX = "x-forwarded-"


class Right(StrEnum):
    """What an operator may do."""

    READ = "read"  # look; people stay masked
    ACT = "act"  # everything


class OperatorTokens:
    """Knows the tokens of operators: RELAY_ADMIN_TOKEN, which may act, and RELAY_ADMIN_READ_TOKEN, which may look."""

    def __init__(self, admin: SecretStr | None, read: SecretStr | None = None) -> None:
        self._digests = {
            right: _digest(token.get_secret_value())
            for right, token in ((Right.ACT, admin), (Right.READ, read))
            if token
        }

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._digests)

    def __contains__(self, right: Right) -> bool:
        """Return whether there is a token for this right."""
        return right in self._digests

    def right_of(self, token: str) -> Right | None:
        """Return what the bearer of a token may do; None: it is neither. The time taken does not tell which."""
        given = _digest(token)
        found = [right for right, digest in self._digests.items() if hmac.compare_digest(digest, given)]
        return found[0] if found else None

    def proof(self, right: Right, session: str) -> str:
        """Return what only a session opened with today's token of this right has; empty: there is none."""
        digest = self._digests.get(right)
        return hmac.new(session.encode(), digest, sha256).hexdigest() if digest else ""


class OperatorAccess:
    """Knows operators by their tokens, where these are set, and by loopback."""

    def __init__(self, tokens: OperatorTokens) -> None:
        self._tokens = tokens

    def allows(self, request: HTTPConnection) -> bool:
        """Return whether an operator asks, of whatever right: nothing is done here."""
        token = bearer_token(request)
        return (token is not None and self._tokens.right_of(token) is not None) or is_loopback(request)

    def required(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint for operators; everybody else gets 401 with what would be right."""

        async def guarded(request: Request) -> Response:
            if self.allows(request):
                return await endpoint(request)
            how = "send Authorization: Bearer $RELAY_ADMIN_TOKEN" if self._tokens else TOKEN_NOT_SET
            return JSONResponse(
                {"error": f"for operators only: {how}"}, 401, headers={"www-authenticate": 'Bearer realm="relay"'}
            )

        return guarded


def bearer_token(request: HTTPConnection) -> str | None:
    """Return the token of the header Authorization; None where it has none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_loopback(request: HTTPConnection) -> bool:
    """Return whether somebody on this machine asks: peer and Host are loopback, and no proxy stands between.

    Behind a proxy on this machine every stranger's peer is loopback, so one header of a proxy is enough to say no.
    """
    if any(name in _FORWARDED_HEADERS or name.startswith(_FORWARDED_PREFIX) for name in request.headers):
        return False
    return request.client is not None and _is_loopback_ip(request.client.host) and _is_loopback_host(request)


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="surrogatepass")).digest()


def _is_loopback_host(request: HTTPConnection) -> bool:
    host = request.headers.get("host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower() == "localhost" or _is_loopback_ip(name)


def _is_loopback_ip(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False
