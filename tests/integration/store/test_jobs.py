"""Jobs are background work: rows of the same mechanism, claimed by any worker."""

import pytest

from relay.store.keys import JOBS


@pytest.fixture
def claim(run, store):
    """Claim jobs."""
    return lambda token="w1", lease_ms=60_000: run(store.claim_jobs(token, 10, lease_ms))


def test_a_job_comes_as_it_was_made(run, store, claim):
    run(store.enqueue_job("j1", "replay", '{"route": "счета"}'.encode()))
    (job,) = claim().items
    assert (job.id, job.kind, job.args, job.token) == ("j1", "replay", '{"route": "счета"}'.encode(), "w1")


def test_a_job_that_is_there_is_not_made_again(run, store, reader, claim):
    """Every worker that starts enqueues the jobs that run for ever."""
    run(store.enqueue_job("j1", "retention", b'{"n": 1}'))
    run(store.enqueue_job("j1", "retention", b'{"n": 2}'))
    assert run(reader.jobs()) == (1, 0)
    (job,) = claim().items
    assert job.args == b'{"n": 1}'
    run(store.enqueue_job("j1", "retention"))  # nor while it runs
    assert run(reader.jobs()) == (0, 1)


def test_a_ticker_finds_a_new_job(run, store):
    run(store.enqueue_job("j1", "replay"))
    assert run(store.look("w1")).queues == [JOBS]


def test_a_ticker_finds_it_though_another_waits_for_its_time(run, store):
    run(store.enqueue_job("later", "retention", delay_ms=60_000))
    assert run(store.look("w1")).queues == []
    run(store.enqueue_job("now", "replay"))
    assert run(store.look("w1")).queues == [JOBS]


def test_a_job_may_wait_for_its_time(run, store, reader, claim, until):
    run(store.enqueue_job("later", "retention", delay_ms=60_000))
    claimed = claim()
    assert claimed.items == []
    assert 50_000 < claimed.wait_ms <= 60_000
    run(store.enqueue_job("soon", "retention", delay_ms=1))
    assert [job.id for job in until(lambda: claim().items)] == ["soon"]


def test_a_job_that_ends_is_gone_and_may_be_made_again(run, store, reader, claim):
    run(store.enqueue_job("j1", "replay"))
    (job,) = claim().items
    assert run(store.finish_job(job, again_ms=None))
    assert run(reader.jobs()) == (0, 0)
    run(store.enqueue_job("j1", "replay"))
    assert run(reader.jobs()) == (1, 0)


def test_a_job_that_goes_on_comes_again_as_it_was(run, store, claim, until):
    run(store.enqueue_job("j1", "replay", b'{"from": 1}'))
    (job,) = claim().items
    assert run(store.finish_job(job, again_ms=1))
    (again,) = until(lambda: claim("w2").items)
    assert (again.args, again.token) == (b'{"from": 1}', "w2")


def test_a_job_that_goes_on_waits_for_its_time(run, store, claim):
    run(store.enqueue_job("j1", "retention"))
    run(store.finish_job(claim().items[0], again_ms=60_000))
    claimed = claim()
    assert claimed.items == []
    assert 50_000 < claimed.wait_ms <= 60_000


@pytest.mark.parametrize("again_ms", [None, 0])
def test_a_stale_token_ends_nothing(run, store, reader, claim, until, again_ms):
    run(store.enqueue_job("j1", "replay", b'{"from": 1}'))
    (old,) = claim("w1", lease_ms=1).items
    (newer,) = until(lambda: claim("w2").items)
    assert not run(store.finish_job(old, again_ms))
    assert run(reader.jobs()) == (0, 1)
    assert run(store.finish_job(newer, again_ms))


def test_ending_twice_is_harmless(run, store, reader, claim):
    run(store.enqueue_job("j1", "retention"))
    (job,) = claim().items
    assert run(store.finish_job(job, again_ms=0))
    assert not run(store.finish_job(job, again_ms=None))
    assert run(reader.jobs()) == (1, 0)


def test_a_run_that_ended_clears_the_deaths_before_it(run, store, claim, until):
    run(store.enqueue_job("j1", "retention"))
    claim("dying", lease_ms=1)
    (job,) = until(lambda: claim("w1").items)
    assert run(store.client.hget(store.keys.job("j1"), "died")) == b"1"
    run(store.finish_job(job, again_ms=0))
    assert run(store.client.hget(store.keys.job("j1"), "died")) is None


def test_none_make_no_claim(claim):
    claimed = claim()
    assert (claimed.items, claimed.wait_ms) == ([], -1)
