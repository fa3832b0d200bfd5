"""Whether a request that changes something comes from a page of ours. Pure."""

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

FORM_TYPE: Final = "application/x-www-form-urlencoded"
JSON_TYPE: Final = "application/json"


def is_ours(request: HTTPConnection) -> bool:
    """Return whether nothing says that another site made the browser send this.

    Browsers say so by Sec-Fetch-Site, which no page can change: over TLS and on this machine; elsewhere, and old ones,
    by Origin. A page of another port of this host is of the same site, and still none of ours.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()


def media_type(request: HTTPConnection) -> str:
    """Return the type of a request's body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
