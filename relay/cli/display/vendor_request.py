"""Format a request that arrived at a fake vendor. Pure."""

from typing import Final
from urllib.parse import parse_qsl

from relay.sandbox.request_log import LoggedRequest

BODY_CHARACTERS: Final = 160
_CREDENTIALS: Final = frozenset({"api_key", "apikey", "api_id", "login", "psw"})
"""The fields of forms that hold the caller's credentials: they are left out."""


def format_vendor_request(request: LoggedRequest) -> str:
    """Format a request in one line: a form decoded and without credentials, a long body cut."""
    is_form = "form-urlencoded" in request.headers.get("content-type", "")
    body = _format_form(request.body) if is_form else request.body
    if len(body) > BODY_CHARACTERS:
        body = body[:BODY_CHARACTERS] + "…"
    return f"{request.method} /{request.vendor}{request.path} {body}"


def _format_form(body: str) -> str:
    fields = parse_qsl(body, keep_blank_values=True)
    return "&".join(f"{name}={value}" for name, value in fields if name not in _CREDENTIALS)
