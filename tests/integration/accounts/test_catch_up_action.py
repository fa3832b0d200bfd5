"""A catch-up by hand is a bulk action: by a name, page by page, each change once, whatever happens to the workers."""

import time

import pytest

from relay.accounts.catch_up import CatchUp
from relay.config.load import load as load_config
from relay.errors import AccountRefused, AccountUnavailable, ConfigError
from relay.operations.action_catch_up import CatchUpWork, start_catch_up
from relay.operations.action_results import NOT_THERE, RECOVERED
from relay.operations.actions import ActionAct, act_on_action, decode_request, read_action, read_touched
from relay.sinks.registry import sink_types
from relay.store.acts import Author
from tests.integration.accounts.test_catching_up import CONFIG, HOUR, Life
from tests.integration.action_runs import work_off

ANNA = Author(by="anna", why="the hook was disabled")
LEADS = 60  # two changes each: two pages of the account's events


class Catching:
    """An account with missed changes, and the workers that catch up."""

    def __init__(self, run, store, reader, served, client) -> None:
        self.run, self.store, self.reader = run, store, reader
        self.life = Life(run, store, reader, served, client)

    def miss(self, leads: int) -> None:
        """Make leads that no hook reports."""
        self.life.account.hooks[next(iter(self.life.account.hooks))].disabled = True
        for _ in range(leads):
            self.life.won()

    def start(self, since: int = HOUR):
        now = time.time_ns() // 1_000_000
        return self.run(start_catch_up(self.store, self.life.config, "acme", now - since, now + HOUR, ANNA))

    def work(self, account=None) -> None:
        work_off(self.run, self.store, self.life.config, account or (lambda _: self.life.client))

    def read(self, id: str):
        return self.run(read_action(self.store, id))

    def stored(self, id: str):
        (found,) = self.run(self.store.actions.read([id]))
        return found

    def step(self, id: str):
        """Do one page, as one worker does."""
        before = self.stored(id)
        work = CatchUpWork(self.store, self.life.config, lambda _: self.life.client)
        return self.run(work.step(before, decode_request(before)))

    def touched(self, id: str) -> list[tuple[str, str]]:
        page = self.run(read_touched(self.store, self.reader, id, limit=100))
        rest = self.run(read_touched(self.store, self.reader, id, limit=100, after=page.next)) if page.next else None
        return [(one.id, one.result) for one in [*page.items, *(rest.items if rest else ())]]

    def receipts(self) -> list[str]:
        return self.run(self.reader.newest_receipts(1000))


@pytest.fixture
def catching(run, store, reader, served, client) -> Catching:
    return Catching(run, store, reader, served, client)


def test_what_was_missed_is_recovered_by_an_action_that_lists_it(catching):
    catching.life.won()
    catching.miss(LEADS)
    begun = catching.start()
    assert begun.started
    catching.work()
    done = catching.read(begun.id)
    assert (done.state, done.by, done.why) == ("done", "anna", ANNA.why)
    assert (done.results, done.looked) == ({RECOVERED: 2 * LEADS}, 2 * LEADS + 2)
    touched = catching.touched(begun.id)
    assert {id for id, _ in touched} <= set(catching.receipts())
    catching.life.route()
    assert catching.life.delivered() == catching.life.expected()
    again = catching.start()
    catching.work()
    assert catching.read(again.id).results == {}, "everything is known by now"


def test_paused_between_pages_it_goes_on_where_it_was(catching):
    catching.miss(LEADS)
    begun = catching.start()
    catching.step(begun.id)
    half = catching.read(begun.id).results[RECOVERED]
    assert 0 < half < 2 * LEADS
    catching.run(act_on_action(catching.store, begun.id, ActionAct.PAUSE, ANNA))
    catching.work()
    assert catching.step(begun.id).stopped, "of a worker that had not noticed"
    assert len(catching.receipts()) == half
    catching.run(act_on_action(catching.store, begun.id, ActionAct.RESUME, ANNA))
    catching.work()
    assert (catching.read(begun.id).state, catching.read(begun.id).results) == ("done", {RECOVERED: 2 * LEADS})


def test_aborted_between_pages_the_rest_is_left(catching):
    catching.miss(LEADS)
    begun = catching.start()
    catching.step(begun.id)
    half = catching.read(begun.id).results[RECOVERED]
    catching.run(act_on_action(catching.store, begun.id, ActionAct.ABORT, ANNA))
    catching.work()
    assert (catching.read(begun.id).state, len(catching.receipts())) == ("aborted", half)


@pytest.mark.parametrize("killed", ["before anything is stored", "before it said how far it was"])
def test_a_worker_killed_within_a_page_doubles_nothing_and_the_list_is_whole(catching, monkeypatch, killed):
    catching.miss(LEADS)
    begun = catching.start()
    recover = CatchUp.recover

    async def die(self, hooks) -> None:
        if killed != "before anything is stored":
            await recover(self, hooks)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(CatchUp, "recover", die)
        with pytest.raises(KeyboardInterrupt):
            catching.step(begun.id)
    assert catching.read(begun.id).looked == 0
    catching.work()
    done = catching.read(begun.id)
    assert (done.state, done.results, done.looked) == ("done", {RECOVERED: 2 * LEADS}, 2 * LEADS)
    assert sorted(id for id, _ in catching.touched(begun.id)) == sorted(catching.receipts())
    catching.life.route()
    assert catching.life.delivered() == catching.life.expected()


def test_what_does_not_exist_any_more_is_listed_as_such(catching):
    catching.miss(1)
    catching.life.account.records["leads"].clear()
    begun = catching.start()
    catching.work()
    assert sorted(result for _, result in catching.touched(begun.id)) == [NOT_THERE, RECOVERED]


def test_an_account_that_is_away_is_waited_for_and_one_that_refuses_is_told(catching):
    catching.miss(1)
    begun = catching.start()

    class Away:
        def pages(self, *_, **__):
            raise AccountUnavailable("acme answers 502")

    class Refusing:
        def pages(self, *_, **__):
            raise AccountRefused("acme refuses the token")

    catching.work(lambda _: Away())
    waiting = catching.read(begun.id)
    assert (waiting.state, waiting.waits) == ("running", "acme answers 502")
    assert catching.step(begun.id).ended
    assert catching.read(begun.id).waits == ""
    catching.run(act_on_action(catching.store, begun.id, ActionAct.ABORT, ANNA))
    second = catching.start()
    catching.work(lambda _: Refusing())
    assert (catching.read(second.id).state, catching.read(second.id).problem) == ("failed", "acme refuses the token")


def test_two_of_a_source_do_not_run_at_once(catching):
    first, second = catching.start(), catching.start(2 * HOUR)
    assert (second.started, second.id) == (False, first.id)


def test_what_cannot_be_begun_is_told_and_what_cannot_go_on_fails(catching):
    store, config, now = catching.store, catching.life.config, time.time_ns() // 1_000_000

    def refused(source: str = "acme", since: int = now - HOUR, until: int | None = None, settings=config) -> str:
        with pytest.raises(ConfigError) as caught:
            catching.run(start_catch_up(store, settings, source, since, until, ANNA))
        return str(caught.value)

    assert "unknown source acne" in refused("acne")
    assert "longer ago than retention.finished" in refused(since=now - 30 * 24 * HOUR)
    assert "nothing to catch up" in refused(since=now)
    text = (CONFIG % "http://x.test").replace("    api:", "    # api:")
    without = load_config(text, file="f", environ={}, sink_types=sink_types())
    assert "sources.acme has no api" in refused(settings=without)
    begun = catching.start()
    catching.life.config = without
    catching.work()
    assert (catching.read(begun.id).state, "has no api" in catching.read(begun.id).problem) == ("failed", True)
