"""Durations are counted in buckets, and nothing of their sum is lost."""

from relay.store.histograms import ATTEMPT, Histogram


def test_many_short_ones_have_a_sum_though_each_is_written_by_itself() -> None:
    histogram, total = Histogram(ATTEMPT, "books"), 0
    for _ in range(1000):
        histogram.observe(0.0004)
        total += histogram.take()["took_ms|books"]
    assert 399 <= total <= 400


def test_what_is_taken_is_not_taken_again() -> None:
    histogram = Histogram(ATTEMPT, "books")
    histogram.observe(0.0101)
    assert histogram.take() == {"took|books|25": 1, "took_ms|books": 10}
    assert histogram.take() == {}
