"""Real workers that listen: hooks reach them without Celery, whichever of them is killed or stopped meanwhile."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import redis

from relay.processes.supervisor import Processes
from relay.store.keys import INBOX, Keys
from tests.e2e.harness import TOKEN, HookSender, lead_hook, run_relay, stored_leads, until
from tests.sentinels import SentinelGroup, sentinel_group

CONFIG = f"""
sources:
  acme: {{type: amocrm, token: {TOKEN}}}
sinks:
  books: {{type: http, idempotency: honoured, url: "${{RELAY_SANDBOX_URL}}/accounting"}}
routes:
  - {{name: invoices, on: add_lead, to: books, path: /invoices, body: {{lead: "{{{{ lead.id }}}}"}}}}
"""
HOOKS = 20
WORKERS = ("worker", "worker:2")
KEYS = Keys()


class Relay:
    """A relay, its store and its broker, and hooks that are counted."""

    def __init__(self, processes: Processes, sender: HookSender) -> None:
        assert processes.store is not None
        assert processes.broker is not None
        self.processes = processes
        self.store = redis.Redis.from_url(processes.store.url, decode_responses=True)
        self.broker = redis.Redis.from_url(processes.broker.url, decode_responses=True)
        self._sender = sender
        self._sent = 0

    def deliver(self, hooks: int = 1) -> None:
        """Send hooks, one after another, and wait until each has arrived."""
        for _ in range(hooks):
            self._sent += 1
            self._sender.post_until_taken(lead_hook(self._sent))
            until(lambda: len(stored_leads(self.processes)) == self._sent, what=f"lead {self._sent} to arrive")

    def listeners(self) -> list[str]:
        return sorted(self.store.zrange(KEYS.listeners, 0, -1))

    def process_of(self, listener: str) -> str:
        pid = int(listener.split(":")[-2])
        return next(name for name in WORKERS if self.processes.pid(name) == pid)

    def attempts(self, name: str) -> int:
        """Count the attempts that a worker has told of since it was started."""
        return self.processes.log(name).count("delivery.attempted")

    def each_arrived_once(self) -> bool:
        return stored_leads(self.processes) == dict.fromkeys(range(1, self._sent + 1), 1)

    def published(self) -> int:
        """Count the messages that Celery's broker has taken."""
        return int(self.broker.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"])


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    """A relay of two workers, of which a test may end what it likes."""
    with run_relay(tmp_path, CONFIG) as processes, closing(HookSender(processes)) as sender:
        processes.start("worker:2")
        yield Relay(processes, sender)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay of one worker for several tests, each of which leaves it whole."""
    folder = tmp_path_factory.mktemp("lasting")
    with run_relay(folder, CONFIG) as processes, closing(HookSender(processes)) as sender:
        yield Relay(processes, sender)


def listening(relay: Relay, number: int = 1) -> list[str]:
    """Have so many workers listen."""
    before = sum(map(relay.attempts, WORKERS[:number]))
    relay.deliver()  # by a bell, where nobody listens
    until(lambda: sum(map(relay.attempts, WORKERS[:number])) == before + 1, what="the delivery to be told of")

    def all_listen() -> bool:
        relay.store.zadd(KEYS.wake, {INBOX: 1})  # the look of any worker finds it, and begins
        return len(relay.listeners()) == number

    until(all_listen, what=f"{number} to listen")
    return relay.listeners()


def test_while_a_worker_listens_no_message_is_published(lasting) -> None:
    (listener,) = listening(lasting)
    before = lasting.published()
    lasting.deliver(HOOKS)
    assert lasting.listeners() == [listener]
    assert lasting.published() == before
    assert not lasting.store.exists(KEYS.bell(INBOX))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_of_two_the_one_that_is_woken_may_be_killed_or_stopped(relay, how) -> None:
    woken = relay.process_of(listening(relay, 2)[0])
    (other,) = {*WORKERS} - {woken}
    before = relay.attempts(other)
    if how is signal.SIGKILL:
        relay.processes.kill(woken)
    else:
        os.kill(relay.processes.pid(woken), how)
    try:
        relay.deliver(HOOKS)
        until(lambda: relay.attempts(other) == before + HOOKS, what="the other to deliver all")
    finally:
        if how is signal.SIGSTOP:
            os.kill(relay.processes.pid(woken), signal.SIGCONT)
    relay.deliver()
    assert relay.each_arrived_once()


def test_a_connection_that_was_closed_is_made_anew(lasting) -> None:
    (listener,) = listening(lasting)
    assert lasting.store.client_kill_filter(_type="pubsub") >= 1
    lasting.deliver(HOOKS)
    until(lambda: lasting.store.pubsub_shardnumsub(KEYS.wake_ups(listener))[0][1] == 1, what="another connection")
    until(lambda: lasting.listeners() == [listener], what="the worker to listen again")
    assert lasting.each_arrived_once()


def test_the_broker_may_be_lost_for_good(lasting) -> None:
    listening(lasting)
    lasting.processes.kill("broker")
    lasting.deliver(HOOKS)
    lasting.processes.restart("worker")
    lasting.deliver(2)
    assert lasting.each_arrived_once()
    lasting.processes.start("broker")


def test_after_a_failover_a_worker_listens_at_the_new_primary(tmp_path: Path) -> None:
    with (
        sentinel_group(tmp_path / "group") as group,
        run_relay(tmp_path, CONFIG, REDIS_URL=group.url) as processes,
        closing(HookSender(processes)) as sender,
    ):
        sender.post_until_taken(lead_hook(1))
        until(lambda: _listeners(group), what="the worker to listen")
        old = group.primary()
        group.fail_over()
        until(lambda: group.primary() is not old and group.ready(), what="a failover")
        sender.post_until_taken(lead_hook(2))
        until(lambda: stored_leads(processes).keys() == {1, 2}, what="both to arrive")
        until(lambda: _listeners(group), what="the worker to listen there")
        assert stored_leads(processes).keys() == {1, 2}


@contextmanager
def _primary(group: SentinelGroup) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(group.primary().url, decode_responses=True) as client:
        yield client


def _listeners(group: SentinelGroup) -> int:
    """Count those whose connections are at the primary now."""
    with _primary(group) as store:
        now = int(store.time()[0]) * 1000
        names = store.zrangebyscore(KEYS.listeners, now, "+inf")
        return sum(store.pubsub_shardnumsub(KEYS.wake_ups(name))[0][1] for name in names)
