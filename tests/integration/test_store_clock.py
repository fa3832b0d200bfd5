"""A machine whose clock is wrong: every age and wait is taken by the store's clock."""

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from starlette.requests import Request

from relay.accounts.answers import Pause, required_pause
from relay.accounts.limiter import Limiter
from relay.config.api_users import ApiUser
from relay.errors import AccountUnavailable
from relay.model import Account, DeliveryState, Limit, Outcome
from relay.secret import SecretStr
from relay.store.access import Access
from relay.store.clock import StoreClock, clock_of
from relay.store.connect import connect
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.transport import Response
from relay.web.subscriptions.auth import Authenticator
from relay.web.subscriptions.errors import ApiError
from relay.web.subscriptions.jwt import mint_jwt
from tests.integration.scripted_sink import ScriptedSink, drain, queue_deliveries

MINUTE, DAY = 60, 86_400


@pytest.fixture
def set_wrong(monkeypatch):
    """Set the machine's clock wrong by some seconds."""
    right, right_ns = time.time, time.time_ns

    def go(by: float) -> None:
        monkeypatch.setattr(time, "time", lambda: right() + by)
        monkeypatch.setattr(time, "time_ns", lambda: right_ns() + round(by * 1e9))

    return go


@pytest.mark.parametrize("by", [2 * DAY, -2 * DAY])
def test_an_event_is_not_too_old_because_a_worker_s_clock_is_ahead(run, store, namespace, reader, set_wrong, by):
    (id,) = queue_deliveries(run, store, [b"{}"])
    set_wrong(by)
    sink = ScriptedSink(sends=[Outcome.RETRY, Outcome.DELIVERED], max_age="1d")
    run(drain(store, namespace, sink))
    assert run(reader.deliveries([id]))[0].state is DeliveryState.DELIVERED
    now = run(reader.now())
    assert all(abs(attempt.at - now) < MINUTE * 1000 for attempt in run(reader.story(id)))


@pytest.mark.parametrize("by", [3 * MINUTE, -15 * MINUTE])
def test_what_sinks_and_jobs_take_for_now_is_the_store_s_time(run, store, reader, namespace, set_wrong, by):
    set_wrong(by)
    run(store.claim_jobs("w1", 1, 1000))
    assert abs(SharedState(store.client, namespace).clock.seconds() * 1000 - run(reader.now())) < MINUTE * 1000


def test_the_pause_of_an_account_lasts_as_long_on_every_machine(run, server, store, namespace, set_wrong):
    """Fifteen minutes behind: it would have waited for so much longer, and the one ahead not at all."""

    clients = [connect(server.url, answer_seconds=10) for _ in range(3)]

    def limiter(client) -> Limiter:
        run(Store(client, namespace).claim_jobs("w1", 1, 1000))
        return Limiter(SharedState(client, namespace), Limit(key="account:acme", count=7, per_ms=1000))

    run(limiter(clients[0]).pause(Pause(ms=10 * MINUTE * 1000, reason="too many requests")))
    for by, client in zip((-15 * MINUTE, 15 * MINUTE), clients[1:], strict=True):
        set_wrong(by)
        with pytest.raises(AccountUnavailable) as paused:
            run(limiter(client).acquire())
        assert 9 * MINUTE * 1000 < paused.value.after_ms <= 10 * MINUTE * 1000
    for client in clients:
        run(client.aclose())


def test_until_the_store_said_the_time_it_is_the_machine_s_own(store):
    assert abs(StoreClock().seconds() - time.time()) < MINUTE
    assert clock_of(store.client) is store.clock


@pytest.mark.parametrize("by", [DAY, -DAY])
def test_a_span_of_a_command_is_taken_off_the_store_s_time(run, store, reader, command, set_wrong, by):
    queue_deliveries(run, store, [b"{}"])
    (id,) = [receipt.decode() for receipt in run(store.client.zrange(store.keys.receipts, 0, -1))]
    set_wrong(by)
    assert id in command("events", "list", "--since", "1h")[0]
    assert id not in command("events", "list", "--until", "1h")[0]


@pytest.mark.parametrize("by", [DAY, -DAY])
def test_a_pause_that_a_person_sets_ends_by_the_store_s_time(run, store, reader, command, set_wrong, by):
    run(store.registry.add_sinks({"books": "http"}))
    set_wrong(by)
    command("sinks", "pause", "books", "--why", "they move", "--until", "2h")
    ends = int(run(store.client.hget(store.keys.gate("sink:books"), "paused_until")))
    assert abs(ends - run(reader.now()) - 2 * 60 * MINUTE * 1000) < 5 * MINUTE * 1000


def test_the_account_s_retry_after_date_counts_from_the_store_s_time(run, store, reader, namespace, set_wrong):
    now = run(reader.now())
    set_wrong(-DAY)
    limiter = Limiter(SharedState(store.client, namespace), Limit(key="account:acme", count=7, per_ms=1000))
    assert abs(limiter.now() - now) < MINUTE * 1000
    date = format_datetime(datetime.fromtimestamp(now / 1000 + 10 * MINUTE, UTC), usegmt=True)
    answer = Response(status=429, headers={"Retry-After": date}, body=b"")
    pause = required_pause(answer, 0, limiter.now())
    assert pause is not None
    assert abs(pause.ms - 10 * MINUTE * 1000) < MINUTE * 1000


def bearer(token: str) -> Request:
    header = (b"authorization", f"Bearer {token}".encode())
    return Request({"type": "http", "headers": [header], "query_string": b"", "client": ("127.0.0.1", 1)})


@pytest.mark.parametrize("by", [2 * DAY, -2 * DAY])
def test_a_token_of_the_subscription_api_expires_by_the_store_s_time(run, store, reader, namespace, set_wrong, by):
    user = ApiUser("anna", SecretStr("h"), SecretStr("a-long-and-random-token"), "acme", Account(), "UTC")
    now = run(reader.now()) // 1000
    authenticator = Authenticator(lambda: (user,), Access(store.client, namespace))
    good, over = mint_jwt(user, now - DAY // 2, DAY), mint_jwt(user, now - 2 * DAY, DAY)
    set_wrong(by)
    assert run(authenticator.authenticate(bearer(good))) is user
    with pytest.raises(ApiError, match="the token has expired"):
        run(authenticator.authenticate(bearer(over)))
