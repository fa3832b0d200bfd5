"""What waits for the store is refused at its deadline, whoever came first."""

import asyncio
import gc
import time
import weakref

import pytest

from relay.errors import StoreUnavailable
from relay.web.deadlines import DeadlineQueue

SOON, LATER, NEVER = 0.001, 0.002, 3600.0
TOO_LATE = "the store gave no answer in time"


@pytest.fixture
def run():
    """Run coroutines in one loop."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def queue() -> DeadlineQueue[str]:
    return DeadlineQueue()


@pytest.fixture
def add(run, queue):
    """Add a future with a deadline in so many seconds; `result`, where one is given, comes before any deadline can."""

    async def added(seconds: float, result: str | None) -> asyncio.Future[str]:
        future = queue.add(time.monotonic() + seconds)
        if result is not None:
            future.set_result(result)
        return future

    return lambda seconds, result=None: run(added(seconds, result))


@pytest.fixture
def wait(run):
    """Wait for a future."""

    async def awaited(future: asyncio.Future[str]) -> str:
        return await future

    return lambda future: run(awaited(future))


@pytest.fixture
def refusal_of(wait):
    """Wait until a future is refused, and return what it is told."""

    def wait_for(future: asyncio.Future[str]) -> str:
        with pytest.raises(StoreUnavailable) as refused:
            wait(future)
        return str(refused.value)

    return wait_for


def test_a_result_that_is_set_in_time_is_returned(add, wait):
    future = add(NEVER)
    future.set_result("r1")
    assert wait(future) == "r1"


def test_without_a_result_it_is_refused_at_its_deadline_and_not_before(run, queue, refusal_of):
    deadline = time.monotonic() + SOON

    async def add() -> asyncio.Future[str]:
        return queue.add(deadline)

    assert refusal_of(run(add())) == TOO_LATE
    assert time.monotonic() >= deadline


def test_with_a_deadline_in_the_past_it_is_refused_at_once(add, refusal_of):
    assert refusal_of(add(-1.0)) == TOO_LATE


def test_a_result_stays_when_the_deadline_passes(add, wait, refusal_of):
    done, other = add(SOON, "r1"), add(LATER)
    assert refusal_of(other) == TOO_LATE
    assert wait(done) == "r1"


def test_a_cancelled_one_delays_no_other(run, queue, refusal_of):
    async def add_both() -> asyncio.Future[str]:
        queue.add(time.monotonic() + SOON).cancel()
        return queue.add(time.monotonic() + LATER)

    assert refusal_of(run(add_both())) == TOO_LATE


def test_an_earlier_deadline_that_is_added_later_is_refused_first(add, refusal_of):
    patient, hurried = add(NEVER), add(SOON)
    assert refusal_of(hurried) == TOO_LATE
    assert not patient.done()


def test_refusals_come_in_the_order_of_the_deadlines(run, queue, refusal_of):
    order: list[float] = []

    async def add_all() -> list[asyncio.Future[str]]:
        futures, now = [], time.monotonic()
        for seconds in (0.004, 0.001, 0.003, 0.002):
            futures.append(queue.add(now + seconds))
            futures[-1].add_done_callback(lambda _, seconds=seconds: order.append(seconds))
        return futures

    for future in run(add_all()):
        assert refusal_of(future) == TOO_LATE
    assert order == [0.001, 0.002, 0.003, 0.004]


def test_those_with_the_same_deadline_are_refused_in_the_order_they_were_added(run, queue, refusal_of):
    order: list[int] = []

    async def add_all() -> list[asyncio.Future[str]]:
        deadline = time.monotonic() + SOON
        futures = [queue.add(deadline) for _ in range(5)]
        for n, future in enumerate(futures):
            future.add_done_callback(lambda _, n=n: order.append(n))
        return futures

    for future in run(add_all()):
        assert refusal_of(future) == TOO_LATE
    assert order == list(range(5))


def test_the_one_timer_goes_on_after_a_refusal(add, refusal_of):
    """With what is left, and with what is new."""
    left = add(LATER)
    assert refusal_of(add(SOON)) == TOO_LATE
    assert refusal_of(left) == TOO_LATE
    assert refusal_of(add(SOON)) == TOO_LATE


class TestDiscarding:
    """The queue holds no future that is done."""

    @pytest.fixture
    def add_watched(self, add):
        """Add a future; return it with a function that returns whether anybody holds it once the test does not."""

        def make(seconds: float):
            future = add(seconds)
            reference = weakref.ref(future)

            def is_held() -> bool:
                gc.collect()
                return reference() is not None

            return future, is_held

        return make

    def test_those_that_are_done_are_discarded(self, queue, add_watched):
        first, first_held = add_watched(NEVER)
        second, second_held = add_watched(NEVER)
        first.set_result("r1")
        second.set_result("r2")
        del first, second
        assert (first_held(), second_held()) == (True, True)
        queue.discard_done()
        assert (first_held(), second_held()) == (False, False)

    def test_those_that_are_waited_for_are_held(self, queue, add_watched):
        waiting, is_held = add_watched(NEVER)
        del waiting
        queue.discard_done()
        assert is_held()

    def test_one_behind_another_that_is_waited_for_is_discarded_with_it(self, queue, add_watched):
        first, first_held = add_watched(NEVER)
        second, second_held = add_watched(NEVER)
        second.set_result("r2")
        del second
        queue.discard_done()
        assert (first_held(), second_held()) == (True, True)
        first.set_result("r1")
        del first
        queue.discard_done()
        assert (first_held(), second_held()) == (False, False)

    def test_those_behind_it_are_still_refused_in_time(self, queue, add, refusal_of):
        _, other = add(SOON, "r1"), add(LATER)
        queue.discard_done()
        assert refusal_of(other) == TOO_LATE

    def test_one_that_was_refused_is_discarded_by_itself(self, add_watched, refusal_of):
        late, is_held = add_watched(SOON)
        assert refusal_of(late) == TOO_LATE
        del late
        assert not is_held()
