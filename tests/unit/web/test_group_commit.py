"""Hooks are stored in groups: few writes carry many, every hook gets its answer, none later than amoCRM waits."""

import asyncio
import itertools
import time
from collections.abc import Sequence

import pytest

from relay.errors import StoreUnavailable
from relay.store.keys import INBOX
from relay.store.records import Accepted, Hook
from relay.web import group_commit
from relay.web.group_commit import (
    MAX_GROUP_BYTES,
    MAX_GROUP_HOOKS,
    MAX_GROUPS_IN_FLIGHT,
    MIN_HOOKS_BESIDE,
    GroupCommit,
)

HOUR = 3600.0


class Group:
    """A group in flight, until a test lets the store answer."""

    def __init__(self, hooks, late) -> None:
        self.ids = [hook.id for hook in hooks]
        self.late = [one.id for one in late]
        self.accepted: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()

    def write(
        self, bell_set: bool = False, duplicates: dict[str, str] | None = None, missing: Sequence[str] = ()
    ) -> None:
        """Let the store accept them; some as duplicates of others, and some late answers as those of no receipt."""
        first = duplicates or {}
        answers = [(first.get(id, id), id in first) for id in self.ids]
        self.accepted.set_result(Accepted(bell_set=bell_set, answers=answers, missing=missing))

    def fail(self, error: Exception) -> None:
        self.accepted.set_exception(error)


class PausedStore:
    """A store that answers when a test lets it."""

    def __init__(self) -> None:
        self.groups: list[Group] = []

    async def accept(self, hooks, late=()) -> Accepted:
        group = Group(hooks, late)
        self.groups.append(group)
        return await group.accepted


class UnansweredRinger:
    """Rings bells and never returns."""

    def __init__(self) -> None:
        self.rung: list[list[str]] = []

    async def ring(self, queues) -> list[str]:
        self.rung.append(list(queues))
        return await asyncio.get_running_loop().create_future()


class Web:
    """The writer of a web process. After each step of a test its loop runs until nothing is left to do."""

    def __init__(self, run) -> None:
        self._run = run
        self._numbers = itertools.count()
        self._store = PausedStore()
        self.bells = UnansweredRinger()
        self.full = False
        self.commit = GroupCommit(self._store, self.bells, lambda: "the store is nearly full" if self.full else "")
        self._writing = run(self._start(self.commit.run()))

    async def _start(self, *works) -> list[asyncio.Task]:
        return [asyncio.create_task(work) for work in works]

    async def _until_quiet(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)  # one tick of the loop; no time passes

    def settle(self) -> None:
        self._run(self._until_quiet())

    def put(self, n: int = 1, body: bytes = b"x", waited: float = 0.0, *, together: bool = False) -> list[asyncio.Task]:
        """Send hooks whose requests started `waited` seconds ago; together, or one at each tick of the loop."""
        hooks = [
            Hook(id=f"r{next(self._numbers):04}", source="acme", digest="d", timed=False, request_id="",
                 content_type="", user_agent="", body=body)
            for _ in range(n)
        ]  # fmt: skip
        started_at = time.monotonic() - waited
        works = [self.commit.put(hook, started_at) for hook in hooks]
        parts = [works] if together else [[work] for work in works]
        tasks = [task for part in parts for task in self._run(self._start(*part))]
        self.settle()
        return tasks

    @property
    def groups(self) -> list[int]:
        """The sizes of the groups that were sent to the store."""
        return [len(group.ids) for group in self._store.groups]

    @property
    def late(self) -> list[list[str]]:
        """The receipts that were marked as answered late, group by group."""
        return [group.late for group in self._store.groups]

    def write(self, group: int, **answer) -> None:
        """Let the store accept a group."""
        self._store.groups[group].write(**answer)
        self.settle()

    def fail(self, group: int, error: Exception) -> None:
        """Let the store fail for a group."""
        self._store.groups[group].fail(error)
        self.settle()

    def answered_late(self, id: str) -> None:
        self.commit.answered_late(id)
        self.settle()


@pytest.fixture
def web(monkeypatch) -> Web:
    """Return a writer whose hooks wait for an hour, unless a test says otherwise."""
    monkeypatch.setattr(group_commit, "AMOCRM_WAITS_SECONDS", HOUR)
    with asyncio.Runner() as runner:
        yield Web(runner.run)


def answers(tasks):
    return [task.result() for task in tasks]


def assert_refused(tasks, why: str) -> None:
    for task in tasks:
        with pytest.raises(StoreUnavailable, match=why):
            task.result()


class TestGroups:
    """What leaves together, and when."""

    def test_the_first_leaves_at_once_alone(self, web):
        web.put()
        assert web.groups == [1]

    def test_what_comes_while_it_is_on_its_way_leaves_together_after_it(self, web):
        web.put()
        web.put(2)
        web.put(3)
        assert web.groups == [1]
        web.write(0)
        assert web.groups == [1, 5]

    def test_a_second_leaves_beside_it_when_it_is_worth_a_call(self, web):
        web.put()
        web.put(MIN_HOOKS_BESIDE - 1)
        assert web.groups == [1]
        web.put()
        assert web.groups == [1, MIN_HOOKS_BESIDE]

    def test_the_more_are_in_flight_the_larger_is_the_next(self, web):
        web.put()
        web.put(3 * MIN_HOOKS_BESIDE)
        assert web.groups == [1, 16, 16, 16]
        web.put(23)
        assert web.groups == [1, 16, 16, 16]  # half of 49
        web.put()
        assert web.groups == [1, 16, 16, 16, 24]

    def test_few_are_whole_where_they_are_large(self, web):
        web.put()
        web.put(3, body=b"x" * (MAX_GROUP_BYTES // 4))
        assert web.groups == [1]
        web.put(body=b"x" * (MAX_GROUP_BYTES // 4))
        assert web.groups == [1, 4]

    def test_a_group_is_no_larger_than_a_script_may_be(self, web):
        web.put()
        web.put(5, body=b"x" * (MAX_GROUP_BYTES // 2))
        assert web.groups == [1, 2, 2]
        web.write(0)
        web.write(1)
        web.write(2)
        assert web.groups == [1, 2, 2, 1]

    def test_one_that_is_larger_than_a_group_leaves_alone(self, web):
        web.put(2, body=b"x" * (MAX_GROUP_BYTES + 1))
        assert web.groups == [1, 1]

    def test_no_more_than_the_limit_are_on_their_way(self, web):
        full = [1, 16, 16, 16, 24, 18]
        web.put(sum(full) + 2 * MAX_GROUP_HOOKS + 56)
        assert len(full) == MAX_GROUPS_IN_FLIGHT
        assert web.groups == full
        web.write(1)
        assert web.groups == [*full, MAX_GROUP_HOOKS]
        web.write(0)
        assert web.groups == [*full, MAX_GROUP_HOOKS, MAX_GROUP_HOOKS]
        web.write(2)
        assert web.groups == [*full, MAX_GROUP_HOOKS, MAX_GROUP_HOOKS]  # what is left is not worth a call

    def test_what_has_gathered_leaves_in_halves(self, web):
        """While the store has one of them, the process answers and reads the other."""
        web.put(2 * MIN_HOOKS_BESIDE + 8, together=True)
        assert web.groups == [20, 20]

    def test_a_whole_one_is_not_halved_nor_what_is_worth_one_call_alone(self, web):
        web.put(MAX_GROUP_HOOKS + MIN_HOOKS_BESIDE - 1, together=True)
        web.write(0)
        web.put(2 * MIN_HOOKS_BESIDE - 1, together=True)
        web.write(1)
        assert web.groups == [MAX_GROUP_HOOKS, MIN_HOOKS_BESIDE - 1, 2 * MIN_HOOKS_BESIDE - 1]

    def test_what_is_not_worth_a_call_waits_for_all(self, web):
        web.put()
        web.put(MIN_HOOKS_BESIDE + 5)
        web.write(0)
        assert web.groups == [1, MIN_HOOKS_BESIDE]
        web.write(1)
        assert web.groups == [1, MIN_HOOKS_BESIDE, 5]

    def test_beside_one_whose_answer_was_late_only_a_whole_one_leaves(self, web):
        """What is not whole may be the repetition of that: the store must be told first."""
        web.put(waited=HOUR)
        repeated = web.put(MIN_HOOKS_BESIDE)
        assert web.groups == [1]
        web.write(0)
        assert (web.groups, web.late) == ([1, MIN_HOOKS_BESIDE], [[], ["r0000"]])
        web.put(MIN_HOOKS_BESIDE)
        assert web.groups == [1, MIN_HOOKS_BESIDE]  # it is on its way to the store
        web.write(1)
        assert web.groups == [1, MIN_HOOKS_BESIDE, MIN_HOOKS_BESIDE]
        assert len(answers(repeated)) == MIN_HOOKS_BESIDE

    def test_beside_one_whose_sender_hung_up_only_a_whole_one_leaves(self, web):
        (hung_up,) = web.put()
        hung_up.cancel()
        web.put(MAX_GROUP_HOOKS - 1)
        assert web.groups == [1]
        web.put()
        assert web.groups == [1, MAX_GROUP_HOOKS]

    def test_one_that_nobody_waits_for_any_more_does_not_leave(self, web):
        web.put()
        waiting = web.put()
        gone = web.put(waited=HOUR)
        assert_refused(gone, "no answer in time")
        (hung_up,) = web.put()
        hung_up.cancel()
        web.settle()
        web.write(0)
        assert web.groups == [1, 1]
        web.write(1)
        assert answers(waiting) == [("r0001", False)]


class TestAnswers:
    """Every hook gets its own."""

    def test_each_gets_its_own_answer_of_the_store(self, web):
        web.put()
        many = web.put(3)
        web.write(0)
        web.write(1, duplicates={"r0002": "r0000"})
        assert answers(many) == [("r0001", False), ("r0000", True), ("r0003", False)]

    def test_also_where_the_second_group_is_written_first(self, web):
        first, second = web.put(), web.put(MIN_HOOKS_BESIDE)
        web.write(1)
        assert answers(second) == [(f"r{n:04}", False) for n in range(1, MIN_HOOKS_BESIDE + 1)]
        assert not first[0].done()
        web.write(0)
        assert answers(first) == [("r0000", False)]

    def test_however_many_there_are(self, web):
        many = web.put(7 * MAX_GROUP_HOOKS + 7)
        for group in itertools.count():
            if group == len(web.groups):
                break
            web.write(group)
        assert answers(many) == [(f"r{n:04}", False) for n in range(len(many))]

    def test_none_waits_for_a_bell(self, web):
        first = web.put()
        web.write(0, bell_set=True)
        assert answers(first) == [("r0000", False)]
        web.put()
        web.write(1)
        assert web.bells.rung == [[INBOX]]

    @pytest.mark.parametrize("error", [StoreUnavailable("it is away"), ValueError("a defect")])
    def test_a_store_that_fails_refuses_all_of_the_group(self, web, error):
        first, second = web.put(), web.put(MIN_HOOKS_BESIDE)
        web.fail(1, error)
        assert_refused(second, str(error))
        web.write(0)
        assert answers(first) == [("r0000", False)]

    def test_a_store_that_is_away_refuses_all_and_one_that_is_back_takes_what_comes(self, web):
        early, more = web.put(), web.put(MIN_HOOKS_BESIDE + 3)
        for group in range(3):
            web.fail(group, StoreUnavailable("it is away"))
        assert web.groups == [1, MIN_HOOKS_BESIDE, 3]
        assert_refused([*early, *more], "it is away")
        late = web.put(2)
        web.write(3)
        web.write(4)
        assert len(answers(late)) == 2

    def test_those_that_the_store_is_too_slow_for_are_refused(self, web):
        assert_refused(web.put(waited=HOUR), "no answer in time")

    def test_a_store_that_is_nearly_full_is_not_asked(self, web):
        web.full = True
        assert_refused(web.put(), "nearly full")
        assert web.groups == []

    def test_only_so_many_bytes_may_wait(self, web, monkeypatch):
        monkeypatch.setattr(group_commit, "MAX_WAITING_BYTES", 10)
        web.put()
        web.put(body=b"x" * 9)
        assert_refused(web.put(body=b"xx"), "too many bodies wait")
        web.write(0)
        web.write(1)
        assert not web.put(body=b"x" * 10)[0].done()


class TestLate:
    """A hook that was stored, but answered too late, comes again: the store must know it as a duplicate."""

    def test_a_hook_refused_and_then_stored_is_marked(self, web):
        (late,) = web.put(waited=HOUR)
        assert late.done()
        assert web.late == [[]]
        web.write(0)
        assert web.late == [[], ["r0000"]]

    def test_one_answered_late_is_marked_at_once(self, web):
        web.put()
        web.write(0)
        web.answered_late("r0000")
        assert web.late == [[], ["r0000"]]

    def test_while_a_group_is_in_flight_it_is_marked_after_that(self, web):
        """Not with the next hook: that may be the very repetition, and it would be stored as new."""
        web.put()
        web.write(0)
        web.put()
        web.answered_late("r0000")
        web.write(1)
        assert web.late == [[], [], ["r0000"]]

    def test_after_a_failure_it_is_marked_with_the_next_group(self, web):
        web.put()
        web.write(0)
        web.answered_late("r0000")
        web.fail(1, StoreUnavailable("it is away"))
        assert web.late == [[], ["r0000"]]  # it is not asked again and again
        web.put()
        assert web.late == [[], ["r0000"], ["r0000"]]


class TestUnknown:
    """The answer of the store is lost: it may have the hooks all the same, and amoCRM sends them again."""

    AWAY = StoreUnavailable("the connection was closed")

    def test_the_next_hooks_tell_it(self, web):
        web.put()
        web.fail(0, self.AWAY)
        assert web.late == [[]]  # nothing is told without a hook: the store may be away
        web.put()
        assert web.late == [[], ["r0000"]]

    def test_until_it_knows(self, web):
        web.put()
        web.fail(0, self.AWAY)
        web.put()
        web.write(1, missing=["r0000"])
        web.put()
        web.write(2)
        web.put()
        assert web.late == [[], ["r0000"], ["r0000"], []]

    def test_or_until_the_call_cannot_be_carried_out_any_more(self, web, monkeypatch):
        monkeypatch.setattr("relay.web.late_answers.MISSING_SECONDS", -1.0)
        web.put()
        web.fail(0, self.AWAY)
        web.put()
        web.write(1, missing=["r0000"])
        web.put()
        assert web.late == [[], ["r0000"], []]

    def test_again_where_that_fails_too(self, web):
        web.put()
        web.fail(0, self.AWAY)
        web.put()
        web.fail(1, self.AWAY)
        web.put()
        assert web.late[2] == ["r0000", "r0001"]
