"""A claim costs as much where a million wait as where a thousand do, and it is bounded in bytes.

`make million` measures a million; here the commands are counted, of which there must not be one more.
"""

import pytest

from relay.model import CompletedLookup, Outcome
from relay.store.keys import account_queue, sink_queue
from tests.integration.store.shapes import settlement

WAITING = 50_000
AT_ONCE = 25
LARGE = 300_000  # bytes


@pytest.fixture
def crowd(run, store):
    """Have so many others wait in the middle of the queue: claims take from its ends, so these need no records."""
    due, others = store.keys.due(sink_queue("books")), [f"other{n}" for n in range(WAITING)]

    def come() -> None:
        ((_, oldest),) = run(store.client.zrange(due, 0, 0, withscores=True))
        run(store.client.zadd(due, dict.fromkeys(others, oldest + 0.5)))

    yield come
    run(store.client.zrem(due, *others))


def test_a_claim_costs_no_command_more_where_fifty_thousand_wait(given, spent, until, run, reader, crowd):
    """Half of what is taken is from the oldest, half from the newest."""
    given.pending(100)
    began = run(reader.now())
    until(lambda: run(reader.now()) > began + 1)
    newest = given.pending(100)

    def claims() -> list[int]:
        spent()
        flying = given.claim(max=AT_ONCE, concurrency=1000).items
        counted = [spent()[1]]
        given.settle_and_claim("w2", *[settlement(d, Outcome.DELIVERED) for d in flying], max=AT_ONCE)
        counted.append(spent()[1])
        assert len(flying) == AT_ONCE
        assert {d.id for d in flying} & set(newest)
        return counted

    claims()  # the store knows the scripts from now on
    few = claims()
    crowd()
    assert claims() == few


def test_what_is_taken_of_large_contents_is_bounded(given, run, store):
    ids = set(given.pending(7, content=b"x" * LARGE))
    taken = [len(given.claim(f"w{n}").items) for n in range(4)]
    assert taken == [3, 3, 1, 0]
    assert len(ids) == sum(taken)


def test_what_is_larger_than_the_bound_is_taken_alone(given):
    given.pending(2, content=b"x" * 2_000_000)
    assert [len(given.claim(f"w{n}").items) for n in range(3)] == [1, 1, 0]


def test_contents_that_a_look_up_made_are_bounded_too(given, run, store):
    given.waiting_for_lookups(7)
    looked_up = run(store.claim_lookups(account_queue("acme"), "f1", 10, 60_000)).items
    done = [CompletedLookup(delivery=one, content=b"%d" % n * LARGE) for n, one in enumerate(looked_up)]
    run(store.complete_lookups(account_queue("acme"), done))
    assert len(given.claim().items) == 3


def test_contents_of_the_release_before_are_bounded_too(given, run, store):
    """It wrote no sizes into deliveries."""
    for id in given.pending(7, content=b"x" * LARGE):
        run(store.client.hdel(store.keys.delivery(id), "size"))
    assert len(given.claim().items) == 3
