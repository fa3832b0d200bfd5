"""Who may see more than whether the relay lives: the bearer of RELAY_ADMIN_TOKEN, and this machine itself."""

import hmac
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from pydantic import SecretStr
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

_FORWARDED_HEADERS = ("forwarded", "x-real-ip")
_FORWARDED_PREFIX = "x-forwarded-"


class OperatorAccess:
    """Knows operators by RELAY_ADMIN_TOKEN, where it is set, and by loopback."""

    def __init__(self, admin_token: SecretStr | None) -> None:
        self._token = admin_token.get_secret_value().encode() if admin_token else None

    def allows(self, request: HTTPConnection) -> bool:
        """Return whether an operator asks."""
        return self._has_token(request) or is_loopback(request)

    def required(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint for operators; everybody else gets 401 with what would be right."""

        async def guarded(request: Request) -> Response:
            if self.allows(request):
                return await endpoint(request)
            how = "send Authorization: Bearer $RELAY_ADMIN_TOKEN" if self._token else "RELAY_ADMIN_TOKEN is not set"
            return JSONResponse(
                {"error": f"for operators only: {how}"}, 401, headers={"www-authenticate": 'Bearer realm="relay"'}
            )

        return guarded

    def _has_token(self, request: HTTPConnection) -> bool:
        if self._token is None:
            return False
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token)


def is_loopback(request: HTTPConnection) -> bool:
    """Return whether somebody on this machine asks: peer and Host are loopback, and no proxy stands between.

    Behind a proxy on this machine every stranger's peer is loopback, so one header of a proxy is enough to say no.
    """
    if any(name in _FORWARDED_HEADERS or name.startswith(_FORWARDED_PREFIX) for name in request.headers):
        return False
    return request.client is not None and _is_loopback_ip(request.client.host) and _is_loopback_host(request)


def _is_loopback_host(request: HTTPConnection) -> bool:
    host = request.headers.get("host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower() == "localhost" or _is_loopback_ip(name)


def _is_loopback_ip(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False
