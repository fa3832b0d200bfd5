"""Post a hook to a relay, as amoCRM does."""

from collections.abc import Mapping

import msgspec
from yarl import URL

from relay.errors import RelayError, StoreUnavailable
from relay.model import Record
from relay.transport import Request, Session, TransportFailure

POST_MS = 10_000
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


class Posted(Record):
    """What the relay answered: the receipt, and whether it had come before."""

    receipt: str
    duplicate: bool


async def post(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Posted:
    """Post a body to a hook's address. Raises RelayError where it is not taken, StoreUnavailable where not now."""
    content_type = _JSON if body.lstrip().startswith((b"{", b"[")) else _FORM
    sent = {"Content-Type": content_type, **(headers or {})}
    request = Request(method="POST", url=URL(url), headers=sent, body=body, timeout_ms=POST_MS)
    async with Session() as session:
        answer = await session.exchange(request)
    if isinstance(answer, TransportFailure):
        host = url.partition("/hooks/")[0]
        raise RelayError(f"{host} gives no answer ({answer.reason}): is the relay running there?")
    text = answer.body.decode(errors="replace")
    if answer.status == 503:
        raise StoreUnavailable(f"the relay answered 503: {text}")
    if answer.status != 202:
        raise RelayError(f"the relay answered {answer.status}: {text[:300]}")
    return msgspec.json.decode(answer.body, type=Posted)
