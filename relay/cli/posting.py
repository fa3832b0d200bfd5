"""Post a hook to a relay, as amoCRM does."""

from collections.abc import Mapping

import aiohttp
import msgspec

from relay.errors import RelayError, StoreUnavailable
from relay.model import Record

POST_SECONDS = 10.0
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


class Posted(Record, frozen=True):
    """What the relay answered: the receipt, and whether it had come before."""

    receipt: str
    duplicate: bool


async def post(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Posted:
    """Post a body to a hook's address. Raises RelayError where it is not taken, StoreUnavailable where not now."""
    content_type = _JSON if body.lstrip().startswith((b"{", b"[")) else _FORM
    timeout = aiohttp.ClientTimeout(total=POST_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=body, headers={"Content-Type": content_type, **(headers or {})}) as answer,
        ):
            status, text = answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        host = url.partition("/hooks/")[0]
        raise RelayError(f"{host} gives no answer ({type(error).__name__}): is the relay running there?") from error
    if status == 503:
        raise StoreUnavailable(f"the relay answered 503: {text}")
    if status != 202:
        raise RelayError(f"the relay answered {status}: {text[:300]}")
    return msgspec.json.decode(text, type=Posted)
