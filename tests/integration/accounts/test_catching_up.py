"""A disabled hook is noticed, and what was missed is caught up: exactly that, and once."""

import itertools
import json
import time
from collections import Counter

import msgspec
import pytest

from relay.accounts.catch_up import CatchUp
from relay.accounts.source_health import examine_source, load_health
from relay.amocrm.events import decode_receipt
from relay.config.load import load as load_config
from relay.errors import ConfigError, StoreUnavailable
from relay.model import Account
from relay.operations.action_catch_up import CatchUpWork, start_catch_up
from relay.operations.actions import decode_request
from relay.operations.source_diagnosis import diagnose_sources
from relay.planning import plan_receipt
from relay.sandbox.amocrm.access import LONG_LIVED
from relay.sandbox.amocrm.account import WON
from relay.sandbox.amocrm.hooks import hook_body
from relay.sinks.registry import make_sinks, sink_types
from relay.store.acts import Author
from relay.store.body import digest
from relay.store.keys import JOBS
from relay.store.reader import Reader
from relay.store.readers import Readers
from relay.store.records import Hook, Job
from relay.store.shard_list import FIRST
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.timefmt import format_time
from tests.integration.conftest import delete_all
from workers.source_monitor import CATCH_UP, CHECK_EVERY_MS, JobArgs, SourceMonitor, check_source_args

MINUTE, HOUR = 60_000, 3_600_000
TOKEN = "test-token"
URL = f"https://relay.example/hooks/acme/{TOKEN}"
CONFIG = f"""
sources:
  acme:
    type: amocrm
    token: {TOKEN}
    account: {{subdomain: acme, id: 7039099}}
    api: {{token: {LONG_LIVED}, url: "%s"}}
sinks:
  console: {{type: log}}
routes:
  - {{name: won, on: [status_lead, add_lead], where: {{status_id: {WON}}}, to: console, text: "{{{{ lead.id }}}}"}}
  - {{name: new people, on: add_contact, to: console, text: "{{{{ contact.id }}}}"}}
"""
EVENTS = ["add_lead", "status_lead", "update_lead", "add_contact", "update_contact"]


class Life:
    """An account, its hook to a relay, and that relay's worker, whose clock is moved by hand."""

    def __init__(self, run, store, reader, served, client) -> None:
        self.run, self._store, self._reader = run, store, reader
        self.account, self.url = served.amocrm.account, served.url
        self.account.subscribe(URL, EVENTS)
        self.config = load_config(CONFIG % served.url, file="f", environ={}, sink_types=sink_types())
        self.source = self.config.sources["acme"]
        self.client = client(rate=(100, 1000))
        served.amocrm.limits.rate = 200
        self.now = time.time_ns() // 1_000_000 - 4 * HOUR  # whatever the account does, it does now
        self.monitor = SourceMonitor(
            lambda: self.config, store, lambda _: self.client, lambda _: None, now=lambda: self.now
        )
        self._numbers = itertools.count()

    def happen(self, what) -> None:
        """Deliver the hooks of what happened, where the account sends any."""
        facts = what[1] if isinstance(what, tuple) else what
        hooks = [
            Hook(
                id=f"h{next(self._numbers):05}", source="acme", digest=digest(hook_body(fact)), timed=True,
                request_id="", content_type="application/x-www-form-urlencoded", user_agent="", body=hook_body(fact),
            )
            for fact in facts
            if self.account.listeners(fact.event)
        ]  # fmt: skip
        if hooks:
            self.run(self._store.accept(hooks))

    def won(self) -> int:
        """Make a won lead with its contact."""
        id, facts = self.account.create("leads", {"status_id": WON, "contacts": [{"email": "a@x.example"}]})
        self.happen((id, facts))
        return id

    def route(self) -> None:
        """Route what has arrived, as a worker does."""
        self.run(self.route_waiting())

    async def route_waiting(self) -> None:
        """Do so on the loop."""
        sinks = make_sinks(self.config)
        while claim := (await self._store.claim_receipts("router", 100, HOUR)).items:
            await self._store.save_routed("router", [plan_receipt(receipt, self.config, sinks) for receipt in claim])

    def delivered(self) -> Counter[tuple[str, str]]:
        """Count what was made for each route, by the id of its lead or contact."""

        async def read():
            receipts = await self._reader.receipts(await self._reader.newest_receipts(1000))
            deliveries = await self._reader.deliveries([id for receipt in receipts for id in receipt.deliveries])
            return [(one.route, json.loads(await self._reader.content(one))["text"]) for one in deliveries]

        return Counter(self.run(read()))

    def expected(self) -> Counter[tuple[str, str]]:
        """Count what had to be made of all that happened."""
        people = Counter(("new people", str(id)) for id in self.account.records["contacts"])
        return people + Counter(("won", str(id)) for id in self.account.records["leads"])

    def listen(self, minutes: int = 1) -> None:
        """Let time pass, and the worker listen."""
        job = Job(id="listen:acme", kind="listen", args=check_source_args("acme"), token="t")
        for _ in range(minutes):
            self.now += MINUTE
            assert self.run(self.monitor.check_source(job)) == CHECK_EVERY_MS

    def health(self):
        return self.run(load_health(SharedState(self._store.client, self._store.namespace), "acme"))

    def diagnosed(self) -> tuple[str, str]:
        """Return what the doctor says of the source."""
        (diagnosis,) = diagnose_sources({"acme": self.health()})
        return diagnosis.grade, diagnosis.found.partition(",")[0]

    def planned(self):
        """Take the jobs that listening has made, as if their time had come."""
        due = self._store.keys.due(JOBS)
        for id in self.run(self._store.client.zrange(due, 0, -1)):
            self.run(self._store.client.zadd(due, {id: 1}))
        return self.run(self._store.claim_jobs("w", 9, HOUR)).items

    def catch_up(self, write: bool = True, since: int = 8 * HOUR):
        """Catch up to this moment."""

        async def work():
            now = time.time_ns() // 1_000_000
            one = CatchUp(self.source, self.config, self.client, self._store)
            progress = await one.start_or_resume(now - since, now, now)
            while not progress.done:
                progress = await one.process_page(progress, write=write)
            return progress

        return self.run(work())


@pytest.fixture
def life(run, store, reader, served, client) -> Life:
    return Life(run, store, reader, served, client)


def rhythm(life: Life) -> None:
    """Hear a lead every ten minutes."""
    for _ in range(8):
        life.won()
        life.listen(10)
    assert life.diagnosed() == ("good", "its hook is enabled")


def test_a_hook_switched_off_for_an_hour_is_noticed_and_healed(life):
    rhythm(life)
    life.account.hooks[URL].disabled = True
    missed = [life.won() for _ in range(30)]
    life.listen()
    assert life.diagnosed() == ("bad", "disabled")
    life.listen(60)
    assert life.health().silent
    assert life.planned() == []
    life.account.hooks[URL].disabled = False
    life.now = time.time_ns() // 1_000_000
    life.listen()
    assert life.diagnosed() == ("good", "its hook is enabled")
    life.won()  # a hook arrives again
    life.route()
    assert {lead for route, lead in life.delivered() if route == "won"}.isdisjoint(map(str, missed))

    (job,) = life.planned()
    while life.run(life.monitor.catch_up(job)) is not None:
        pass
    life.route()
    assert life.delivered() == life.expected()
    assert life.catch_up().recovered == 0


def test_doctor_knows_a_hook_at_once_and_when_it_came(life, run, reader):
    life.now = time.time_ns() // 1_000_000 - MINUTE
    del life.account.hooks[URL]
    life.listen()
    assert life.diagnosed() == ("warning", "not registered")
    life.account.subscribe(URL, EVENTS)
    life.won()
    (receipt, *_) = run(reader.receipts(run(reader.newest_receipts(1))))
    health = run(examine_source(reader, "acme"))
    (diagnosis,) = diagnose_sources({"acme": health})
    assert diagnosis.found == f"its hook is enabled, last hook {format_time(receipt.received_at)}"


def test_a_hook_that_was_removed_is_noticed_by_the_silence(life):
    rhythm(life)
    del life.account.hooks[URL]
    life.won()
    life.listen(39)
    assert life.diagnosed() == ("warning", "not registered")
    life.listen(12)
    assert life.diagnosed() == ("bad", "silent")


def test_a_dry_run_counts_and_writes_nothing(run, life, reader):
    life.won()
    life.account.hooks[URL].disabled = True
    for _ in range(3):
        life.won()
    counted = life.catch_up(write=False)
    assert (counted.received, counted.recovered) == (2, 6)  # a lead and a contact each
    assert run(reader.inbox()) == (2 + 1, 0)  # the contact's update is one of them
    life.route()
    assert life.catch_up(write=False).recovered == 6


def test_caught_up_twice_before_it_is_routed_it_is_there_once(run, life, reader):
    life.account.hooks[URL].disabled = True
    for _ in range(120):  # three pages of the account's events
        life.won()
    first = life.catch_up()
    assert (first.recovered, first.page) == (240, 4)
    assert life.catch_up().recovered == 0
    life.route()
    assert life.catch_up(since=7 * HOUR).recovered == 0
    assert life.delivered() == life.expected()


def test_a_hook_that_is_routed_while_it_looks_is_not_a_missed_one(life, monkeypatch):
    life.won()
    find = Reader.events_of

    async def find_before_it_is_routed(reader: Reader, *of: str) -> list[str]:
        found = await find(reader, *of)
        await life.route_waiting()
        return found

    monkeypatch.setattr(Reader, "events_of", find_before_it_is_routed)
    assert life.catch_up().recovered == 0


def test_an_interrupted_catch_up_goes_on_where_it_was(run, store, life):
    life.account.hooks[URL].disabled = True
    for _ in range(60):
        life.won()
    now = time.time_ns() // 1_000_000
    one = CatchUp(life.source, life.config, life.client, store)
    run(one.process_page(run(one.start_or_resume(now - HOUR, now, now)), write=True))
    other = CatchUp(life.source, life.config, life.client, store)
    again = run(other.start_or_resume(now - HOUR, None, now + MINUTE))
    assert (again.page, again.until) == (2, now)


def test_a_recovered_receipt_is_marked(run, life, reader):
    life.account.hooks[URL].disabled = True
    life.won()
    life.catch_up()
    life.route()

    async def read():
        return await reader.receipts(await reader.newest_receipts(1000))

    receipts = run(read())
    assert len(receipts) == 2
    raws = run(reader.raw_receipts([receipt.id for receipt in receipts]))
    assert {decode_receipt(raw)[0] for raw in raws.values()} == {Account(id="7039099", subdomain="acme", link=life.url)}
    assert all(receipt.recovered and receipt.user_agent == "amo-relay catch-up" for receipt in receipts)
    assert run(reader.counters())["receipt", "acme", "recovered"] == 2
    assert run(reader.received("acme")) == 0  # no hook arrived: the silence goes on


def test_the_stage_is_that_of_the_change_whatever_came_after(life):
    lead, facts = life.account.create("leads", {"status_id": 10216995})
    life.happen((lead, facts))
    life.account.hooks[URL].disabled = True
    life.happen(life.account.change("leads", lead, {"status_id": WON}))
    life.happen(life.account.change("leads", lead, {"status_id": 143}))
    assert life.catch_up().recovered == 2
    life.route()
    assert life.delivered() == Counter({("won", str(lead)): 1})


def test_what_an_application_subscribed_to_is_caught_up_too(run, store, life):
    life.account.hooks[URL].disabled = True
    life.happen(life.account.create("companies", {"name": "Ромашка"}))
    assert life.catch_up(write=False).recovered == 0
    run(store.subscriptions.subscribe("acme", "https://app.example/hook", ["add_company"], by=""))
    assert life.catch_up().recovered == 1


def test_what_was_missed_and_is_gone_is_counted(life):
    life.account.hooks[URL].disabled = True
    lead = life.won()
    life.happen(life.account.delete("leads", lead))
    done = life.catch_up()
    assert (done.recovered, done.gone) == (1, 1)


def test_further_back_than_retention_is_refused(life):
    with pytest.raises(ConfigError, match="longer ago than retention"):
        life.catch_up(since=8 * 24 * HOUR)


@pytest.fixture
def moved(run, life, store):
    """Return the shard that has acme now; its three leads came in another, one of them unreported."""
    life.won()
    life.won()
    life.account.hooks[URL].disabled = True
    life.won()
    life.route()
    new = Store(store.client, f"{store.namespace}:01")
    yield new
    run(delete_all(new))


def readers_of(life: Life, old: Store, new: Store) -> Readers:
    each = {FIRST: Reader(old.client, old.namespace), "01": Reader(new.client, new.namespace)}
    return Readers(lambda: each, lambda _: "01")


def test_what_came_before_the_source_was_moved_is_not_sent_again(run, life, store, moved):
    reader = readers_of(life, store, moved)
    now = time.time_ns() // 1_000_000
    monitor = SourceMonitor(
        lambda: life.config, moved, lambda _: life.client, lambda _: None, now=lambda: now, reader=reader
    )
    args = msgspec.json.encode(JobArgs(source="acme", since=now - HOUR, until=now))
    assert run(monitor.catch_up(Job(id="catch-up:acme:1", kind=CATCH_UP, args=args, token="t"))) is None
    assert len(run(reader.each["01"].newest_receipts(100))) == 2  # the third lead, and its contact


def test_what_was_recovered_before_the_source_was_moved_is_not_recovered_again(run, life, store, moved):
    assert life.catch_up().recovered == 2
    reader = readers_of(life, store, moved)
    now = time.time_ns() // 1_000_000
    started = run(start_catch_up(moved, life.config, "acme", now - HOUR, now, Author(by="anna")))
    (action,) = run(moved.actions.read([started.id]))
    work = CatchUpWork(moved, life.config, lambda _: life.client, reader)
    assert run(work.step(action, decode_request(action))).items == 0


def test_nothing_counts_as_missed_while_a_shard_is_away(run, life, store, moved, monkeypatch):
    reader = readers_of(life, store, moved)

    async def away(*_):
        raise StoreUnavailable("it does not answer")

    monkeypatch.setattr(reader.each[FIRST], "events_of", away)
    now = time.time_ns() // 1_000_000
    one = CatchUp(life.source, life.config, life.client, moved, reader=reader)
    progress = run(one.start_or_resume(now - HOUR, now, now))
    with pytest.raises(StoreUnavailable):
        run(one.process_page(progress, write=True))
    assert run(reader.each["01"].newest_receipts(100)) == []
