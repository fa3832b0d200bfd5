"""Send hooks as amoCRM does: a bracketed form to each webhook, which must answer within two seconds."""

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from typing import Final

from yarl import URL

from relay.amocrm.form import encode_form
from relay.model import Record, Value
from relay.sandbox.amocrm.account import ID, SUBDOMAIN
from relay.sandbox.amocrm.shapes import HookEvent
from relay.transport import Request, Response, Session

_ANSWER_MS: Final = 2_000
_CONCURRENCY: Final = 20


class HookResult(Record):
    """One hook that was sent. `status` is None where no answer came in time."""

    event: str
    destination: str
    status: int | None


async def send_hooks(hooks: Iterable[tuple[str, HookEvent]]) -> Sequence[HookResult]:
    """Send each event to its destination, several at a time, and return the results. None is sent again."""
    slots = asyncio.Semaphore(_CONCURRENCY)

    async def one(session: Session, destination: str, event: HookEvent) -> HookResult:
        async with slots:
            return HookResult(
                event=event.event, destination=destination, status=await _send(session, destination, event)
            )

    async with Session() as session:
        return await asyncio.gather(*(one(session, destination, event) for destination, event in hooks))


def hook_body(event: HookEvent) -> bytes:
    """Encode an event as amoCRM does: its account first."""
    own = f"https://{SUBDOMAIN}.amocrm.ru"
    account: dict[str, Value] = {"subdomain": SUBDOMAIN, "id": str(ID), "_links": {"self": own}}
    return encode_form({"account": account, event.entity: {event.action: [event.data]}})


async def _send(session: Session, destination: str, event: HookEvent) -> int | None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "amoCRM-Webhooks/3.0",
        "X-Amocrm-Requestid": str(uuid.uuid4()),
    }
    url = URL(destination)
    answer = await session.exchange(
        Request(method="POST", url=url, headers=headers, body=hook_body(event), timeout_ms=_ANSWER_MS)
    )
    return answer.status if isinstance(answer, Response) else None
