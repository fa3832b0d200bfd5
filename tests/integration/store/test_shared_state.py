"""What workers share: values, locks, quotas and further grants."""

import asyncio

import pytest

from relay.model import Limit
from relay.store.quotas import Quota, QuotaExceeded
from relay.store.requests import sink_claim_request
from relay.store.shared_state import SharedState

HOUR = 3_600_000


@pytest.fixture
def shared(store, namespace):
    """Return the shared state of the store."""
    return SharedState(store.client, namespace)


def test_a_value_is_there_until_its_time_or_its_removal(run, shared, until):
    run(shared.put("token", b"abc", HOUR))
    assert run(shared.get("token")) == b"abc"
    run(shared.put("token", b"new", 1))
    until(lambda: run(shared.get("token")) is None)
    run(shared.put("token", b"abc", HOUR))
    run(shared.delete("token"))
    assert run(shared.get("token")) is None


class TestLock:
    """A lock that workers share."""

    @pytest.fixture
    def free(self, run, shared):
        """Return whether a lock is free."""

        async def free() -> bool:
            async with shared.lock("refresh", HOUR) as acquired:
                return acquired

        return lambda: run(free())

    def test_it_is_held_by_one_until_the_end(self, run, shared, free):
        async def hold() -> list[bool]:
            async with shared.lock("refresh", HOUR) as first, shared.lock("refresh", HOUR) as second:
                return [first, second]

        assert run(hold()) == [True, False]
        assert free()

    def test_it_is_released_where_its_holder_fails(self, run, shared, free):
        async def fail() -> None:
            async with shared.lock("refresh", HOUR):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            run(fail())
        assert free()

    def test_of_a_holder_that_died_it_is_free_after_its_time(self, run, shared, until, free):
        run(shared.lock("refresh", 1).__aenter__())
        assert until(free)

    def test_one_that_ran_out_leaves_the_next_holder_s_alone(self, run, store, shared, free):
        async def outlive_it() -> None:
            async with shared.lock("refresh", HOUR):
                await store.client.set(store.keys.shared("refresh"), "another's")

        run(outlive_it())
        assert not free()


class TestFindOrMake:
    """What one of all workers makes, and the others find."""

    @pytest.fixture
    def make(self, shared):
        """Make a token that takes a moment; `made` counts how often."""

        async def make() -> bytes:
            make.made += 1
            await asyncio.sleep(0)
            await shared.put("token", b"abc", HOUR)
            return b"abc"

        make.made = 0
        return make

    @pytest.fixture
    def find_or_make(self, shared, make):
        """Find the token or make it."""
        return lambda make=make, wait_ms=0: shared.find_or_make(
            lambda: shared.get("token"), make, lock="token:lock", lock_ms=HOUR, wait_ms=wait_ms
        )

    def test_what_is_there_is_found(self, run, shared, make, find_or_make):
        run(shared.put("token", b"there", HOUR))
        assert run(find_or_make()) == b"there"
        assert make.made == 0

    def test_what_is_not_there_is_made_once_for_all(self, run, make, find_or_make):
        async def many() -> list[bytes | None]:
            return await asyncio.gather(*(find_or_make(wait_ms=HOUR) for _ in range(10)))

        assert run(many()) == [b"abc"] * 10
        assert make.made == 1

    def test_what_was_made_just_before_the_lock_was_free_is_found(self, run, make, shared):
        answers = [None, b"made meanwhile"]

        async def find() -> bytes | None:
            return answers.pop(0)

        assert run(shared.find_or_make(find, make, lock="token:lock", lock_ms=HOUR)) == b"made meanwhile"
        assert make.made == 0

    def test_what_another_one_is_still_making_is_not_waited_for_for_ever(self, run, shared, make, find_or_make):
        async def ask_while_another_has_the_lock() -> bytes | None:
            async with shared.lock("token:lock", HOUR):
                return await find_or_make()

        assert run(ask_while_another_has_the_lock()) is None
        assert make.made == 0

    def test_where_making_fails_the_next_one_tries(self, run, make, find_or_make):
        async def fail() -> bytes:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            run(find_or_make(fail))
        assert run(find_or_make()) == b"abc"


def test_quotas_are_spent_all_or_none(run, shared, reader):
    end = run(reader.now()) + HOUR
    day, number = Quota(key="day", amount=1, limit=2, until_ms=end), Quota(key="79…", amount=1, limit=1, until_ms=end)
    assert run(shared.spend_quotas([day, number])) is None
    refused = run(shared.spend_quotas([day, number]))
    assert isinstance(refused, QuotaExceeded)
    assert refused.key == "79…"
    assert 0 < refused.wait_ms <= HOUR
    assert run(shared.spend_quotas([day])) is None  # the refusal had spent nothing of the day
    assert run(shared.spend_quotas([day])).key == "day"


def test_a_quota_begins_anew_when_its_time_is_over(run, shared, reader, until):
    quota = Quota(key="day", amount=1, limit=1, until_ms=run(reader.now()) + 30)
    assert run(shared.spend_quotas([quota])) is None
    later = Quota(key="day", amount=1, limit=1, until_ms=quota.until_ms + HOUR)
    until(lambda: run(shared.spend_quotas([later])) is None)
    assert run(reader.now()) >= quota.until_ms


def test_a_further_call_takes_a_grant_of_every_limit_or_of_none(run, shared, store):
    wide, narrow = Limit(key="all", count=3, per_ms=HOUR), Limit(key="subscribe", count=1, per_ms=HOUR)
    assert run(shared.take_grant([wide, narrow])) == 0
    assert 0 < run(shared.take_grant([wide, narrow])) <= HOUR
    assert [run(shared.take_grant([wide])) for _ in range(2)] == [0, 0]
    assert run(shared.take_grant([wide])) > 0
    claim = run(store.claim_deliveries(sink_claim_request("books", "w1", 8, 60_000, 8, [wide])))
    assert claim.items == []
