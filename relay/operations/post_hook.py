"""Post a hook to a running relay, as amoCRM does."""

from collections.abc import Mapping

import msgspec
from yarl import URL

from relay.amocrm.body_format import body_format
from relay.config.proxy_environment import NO_PROXIES, ProxyRules
from relay.errors import RelayError, StoreUnavailable
from relay.model import Record
from relay.transport import Request, Session, TransportFailure

POST_MS = 10_000
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


class AcceptedHook(Record):
    """The relay's answer to a hook: the id of its receipt, and whether that hook had arrived before."""

    receipt: str
    duplicate: bool


async def post_hook(
    url: str, body: bytes, headers: Mapping[str, str] | None = None, proxies: ProxyRules = NO_PROXIES
) -> AcceptedHook:
    """Post a body to a hook's address, through one of `proxies` where there are any.

    Raises StoreUnavailable where the relay answers 503, RelayError where there is no answer or another refusal.
    """
    content_type = _JSON if body_format(body) == "json" else _FORM
    request = Request(
        method="POST",
        url=URL(url),
        headers={"Content-Type": content_type, **(headers or {})},
        body=body,
        timeout_ms=POST_MS,
    )
    async with Session(proxies=proxies) as session:
        answer = await session.exchange(request)
    if isinstance(answer, TransportFailure):
        host = url.partition("/hooks/")[0]
        raise RelayError(f"{host} gives no answer ({answer.reason}): is the relay running there?")
    text = answer.body.decode(errors="replace")
    if answer.status == 503:
        raise StoreUnavailable(f"the relay answered 503: {text}")
    if answer.status != 202:
        raise RelayError(f"the relay answered {answer.status}: {text[:300]}")
    return msgspec.json.decode(answer.body, type=AcceptedHook)
