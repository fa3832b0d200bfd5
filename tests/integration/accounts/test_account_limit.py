"""The account's limit: exact over all workers, and what follows where it is exceeded all the same."""

import asyncio
import time

import pytest

from relay.accounts.answers import Pause
from relay.accounts.limiter import Limiter
from relay.errors import AccountRefused, AccountUnavailable
from relay.model import Limit
from relay.store.connect import connect
from relay.store.shared_state import SharedState

USERS, LEADS = "/api/v4/users", "/api/v4/leads"


def test_all_workers_together_have_the_grants_of_one(server, namespace, run):
    """Of ten requests of two workers in one minute, five are granted: not four, not six."""
    limit = Limit(key="account:acme", count=5, per_ms=60_000)

    async def waits() -> list[int]:
        stores = [connect(server.url, answer_seconds=10) for _ in range(2)]
        try:
            shared = [SharedState(store, namespace) for store in stores]
            return await asyncio.gather(*(own.take_grant([limit]) for own in shared for _ in range(5)))
        finally:
            for store in stores:
                await store.aclose()

    found = run(waits())
    assert found.count(0) == 5
    assert all(0 <= wait <= 60_000 for wait in found)


def test_what_is_beyond_the_limit_waits(client, run, served):
    """12 requests of two workers at 4 in 250 ms need two whole windows after the first: half a second."""
    served.amocrm.limits.rate = 1000
    first, second = client(rate=(4, 250)), client(rate=(4, 250))

    async def ask() -> list[object]:
        return await asyncio.gather(*(worker.get(USERS) for worker in (first, second) for _ in range(6)))

    began = time.monotonic()
    assert all(run(ask()))
    assert time.monotonic() - began >= 0.5
    assert served.amocrm.api.request_counts[f"GET {USERS}"] == 12


def test_a_pause_that_the_account_asks_for_is_waited_for(client, run, served):
    """Somebody else uses up its limit: 429 is answered by everybody's pause, and then by the same request."""
    served.amocrm.limits.rate = 0
    served.amocrm.limits.retry_after = 1
    worker = client(rate=(100, 1000))

    async def ask() -> object:
        asking = asyncio.create_task(worker.get(USERS))
        while True:
            await asyncio.sleep(0.01)
            if served.amocrm.limits.throttled:
                break
        served.amocrm.limits.rate = 100
        return await asking

    assert run(ask())
    assert served.amocrm.api.request_counts[f"GET {USERS}"] == 2


def test_a_locked_account_is_asked_by_no_worker(client, run, served):
    served.amocrm.limits.blocked_until = time.monotonic() + 3600
    first, second = client(), client()
    for worker in (first, second, first):
        with pytest.raises(AccountUnavailable, match="has locked the account's API after too many requests") as caught:
            run(worker.get(USERS))
    assert caught.value.after_ms
    assert caught.value.after_ms > 200_000
    assert served.amocrm.api.request_counts[f"GET {USERS}"] == 1


def test_a_pause_ends_by_itself_and_not_before(server, namespace, run):
    async def paused_seconds() -> float:
        store = connect(server.url, answer_seconds=10)
        try:
            limiter = Limiter(SharedState(store, namespace), Limit(key="account:acme", count=7, per_ms=1000))
            began = time.monotonic()
            await limiter.pause(Pause(ms=50, reason="r"))
            await limiter.acquire()
            return time.monotonic() - began
        finally:
            await store.aclose()

    assert run(paused_seconds()) > 0.045  # the clock of the pause counts whole milliseconds


@pytest.mark.parametrize(
    ("path", "found"),
    [(LEADS, None), ("/api/v4/leads/5", None), ("/api/v4/webhooks", None), ("/api/v4/nothing", None)],
)
def test_what_does_not_exist_is_none(client, run, path, found):
    assert run(client().get(path)) is found


def test_pages_are_requested_by_number(client, run, served):
    """The fake names the address of the next page, elsewhere: it is never called."""
    served.amocrm.limits.rate = 1000
    for number in range(5):
        served.amocrm.account.create("leads", {"name": str(number)})

    async def names(first: int) -> list[list[str]]:
        pages = client_.pages(LEADS, "leads", first=first, limit=2)
        return [[lead["name"] for lead in page] async for page in pages]

    client_ = client()
    assert run(names(1)) == [["0", "1"], ["2", "3"], ["4"]]
    assert run(names(3)) == [["4"]]


def test_a_refusal_has_amocrms_message_without_the_hook_s_token(client, run):
    with pytest.raises(AccountRefused) as caught:
        run(client().post("/api/v4/webhooks", {"destination": "mailto:x", "settings": ["add_lead"]}))
    assert str(caught.value) == (
        "acme: POST /api/v4/webhooks: amoCRM refuses with 400: Bad Request; destination: This value is not a valid URL."
    )


def test_an_account_that_does_not_answer_is_unavailable(client, run, served):
    served.stop()
    with pytest.raises(AccountUnavailable, match="acme: GET /api/v4/users: "):
        run(client().get(USERS))
