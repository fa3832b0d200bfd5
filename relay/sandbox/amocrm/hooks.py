"""Send hooks as amoCRM does: a bracketed form for each listener, answered within two seconds, or it has failed."""

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
_AT_ONCE: Final = 20


class SentHook(Record):
    """One hook that was sent. `status` is None where no answer came in time."""

    event: str
    destination: str
    status: int | None


async def send_hooks(letters: Iterable[tuple[str, HookEvent]]) -> Sequence[SentHook]:
    """Send facts to destinations, several at a time, and give what came of each. None is sent again."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(session: Session, destination: str, fact: HookEvent) -> SentHook:
        async with slots:
            return SentHook(event=fact.event, destination=destination, status=await _send(session, destination, fact))

    async with Session() as session:
        return await asyncio.gather(*(one(session, destination, fact) for destination, fact in letters))


def hook_body(fact: HookEvent) -> bytes:
    """Write a fact as amoCRM does: its account first."""
    own = f"https://{SUBDOMAIN}.amocrm.ru"
    account: dict[str, Value] = {"subdomain": SUBDOMAIN, "id": str(ID), "_links": {"self": own}}
    return encode_form({"account": account, fact.entity: {fact.action: [fact.data]}})


async def _send(session: Session, destination: str, fact: HookEvent) -> int | None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "amoCRM-Webhooks/3.0",
        "X-Amocrm-Requestid": str(uuid.uuid4()),
    }
    url = URL(destination)
    answer = await session.exchange(
        Request(method="POST", url=url, headers=headers, body=hook_body(fact), timeout_ms=_ANSWER_MS)
    )
    return answer.status if isinstance(answer, Response) else None
