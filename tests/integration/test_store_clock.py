"""A machine whose clock is wrong: every age and wait is taken by the store's clock."""

import time

import pytest

from relay.accounts.answers import Pause
from relay.accounts.limiter import Limiter
from relay.errors import AccountUnavailable
from relay.model import DeliveryState, Limit, Outcome
from relay.store.clock import StoreClock, clock_of
from relay.store.connect import connect
from relay.store.shared_state import SharedState
from relay.store.store import Store
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
