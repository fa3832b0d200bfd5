"""What waits for the store is refused at its deadline, whoever came first."""

import asyncio
import gc
import time
import weakref

import pytest

from relay.errors import StoreUnavailable
from relay.web.deadlines import DeadlineQueue

SOON, LATER, NEVER = 0.001, 0.002, 3600.0


@pytest.fixture
def run():
    """Run coroutines in one loop."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def patience() -> DeadlineQueue[str]:
    return DeadlineQueue()


@pytest.fixture
def answer(run, patience):
    """Make an answer that may be given within so many seconds."""

    async def make(seconds: float) -> asyncio.Future[str]:
        return patience.answer(time.monotonic() + seconds)

    return lambda seconds: run(make(seconds))


@pytest.fixture
def wait(run):
    """Wait for an answer."""

    async def awaited(answer: asyncio.Future[str]) -> str:
        return await answer

    return lambda answer: run(awaited(answer))


@pytest.fixture
def refused(wait):
    """Wait until an answer is refused."""

    def wait_for(answer: asyncio.Future[str]) -> None:
        with pytest.raises(StoreUnavailable, match="the store gave no answer in time"):
            wait(answer)

    return wait_for


def test_an_answer_given_in_time_is_the_answer(answer, wait):
    given = answer(NEVER)
    given.set_result("r1")
    assert wait(given) == "r1"


def test_one_that_is_not_given_is_refused_at_its_deadline_and_not_before(run, patience, refused):
    deadline = time.monotonic() + SOON

    async def make() -> asyncio.Future[str]:
        return patience.answer(deadline)

    refused(run(make()))
    assert time.monotonic() >= deadline


def test_one_whose_deadline_is_past_is_refused_at_once(answer, refused):
    refused(answer(-1.0))


def test_an_answer_that_was_given_stays_whatever_its_deadline(answer, wait, refused):
    given, other = answer(SOON), answer(LATER)
    given.set_result("r1")
    refused(other)
    assert wait(given) == "r1"


def test_one_that_nobody_waits_for_any_more_holds_up_no_other(answer, refused):
    gone, other = answer(SOON), answer(LATER)
    gone.cancel()
    refused(other)
    assert gone.cancelled()


def test_an_earlier_deadline_that_comes_later_is_refused_first(answer, refused):
    patient, hurried = answer(NEVER), answer(SOON)
    refused(hurried)
    assert not patient.done()


def test_refusals_come_in_the_order_of_the_deadlines(answer, refused):
    order: list[float] = []
    answers = {seconds: answer(seconds) for seconds in (0.004, 0.001, 0.003, 0.002)}
    for seconds, one in answers.items():
        one.add_done_callback(lambda _, seconds=seconds: order.append(seconds))
    for one in answers.values():
        refused(one)
    assert order == sorted(answers)


def test_answers_of_one_deadline_are_refused_in_the_order_they_came(run, patience, refused):
    order: list[int] = []
    deadline = time.monotonic() + SOON

    async def make() -> list[asyncio.Future[str]]:
        return [patience.answer(deadline) for _ in range(5)]

    answers = run(make())
    for n, one in enumerate(answers):
        one.add_done_callback(lambda _, n=n: order.append(n))
    for one in answers:
        refused(one)
    assert order == list(range(5))


def test_what_comes_after_a_refusal_is_refused_in_its_turn(answer, refused):
    """The one timer goes on, with what is left and with what is new."""
    left = answer(LATER)
    refused(answer(SOON))
    refused(left)
    refused(answer(SOON))


class TestForgetting:
    """Nobody keeps an answer that was given."""

    @pytest.fixture
    def kept(self, answer):
        """Make an answer; give it, and tell whether anybody keeps it once its own name is gone."""

        def make(seconds: float):
            made = answer(seconds)
            reference = weakref.ref(made)

            def is_kept() -> bool:
                gc.collect()
                return reference() is not None

            return made, is_kept

        return make

    def test_those_that_were_given_are_forgotten(self, patience, kept):
        first, first_kept = kept(NEVER)
        second, second_kept = kept(NEVER)
        first.set_result("r1")
        second.set_result("r2")
        del first, second
        assert (first_kept(), second_kept()) == (True, True)
        patience.forget_given()
        assert (first_kept(), second_kept()) == (False, False)

    def test_those_that_are_waited_for_are_kept(self, patience, kept):
        waiting, is_kept = kept(NEVER)
        del waiting
        patience.forget_given()
        assert is_kept()

    def test_one_behind_another_that_is_waited_for_is_forgotten_with_that(self, patience, kept):
        first, first_kept = kept(NEVER)
        second, second_kept = kept(NEVER)
        second.set_result("r2")
        del second
        patience.forget_given()
        assert (first_kept(), second_kept()) == (True, True)
        first.set_result("r1")
        del first
        patience.forget_given()
        assert (first_kept(), second_kept()) == (False, False)

    def test_those_behind_it_are_still_refused_in_time(self, patience, answer, refused):
        given, other = answer(SOON), answer(LATER)
        given.set_result("r1")
        patience.forget_given()
        refused(other)

    def test_one_that_was_refused_is_forgotten_without_being_asked(self, kept, refused):
        late, is_kept = kept(SOON)
        refused(late)
        del late
        assert not is_kept()
