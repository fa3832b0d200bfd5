"""Quantiles are estimated from buckets, rates from two readings of the counters."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.operations.stats import quantile, rates
from relay.store.histograms import BUCKETS, Histogram, bucket_counts


def counts(**at: int) -> list[int]:
    """Fill buckets by their number: b0=10."""
    filled = [0] * (len(BUCKETS) + 1)
    for name, count in at.items():
        filled[int(name[1:])] = count
    return filled


@pytest.mark.parametrize(
    ("filled", "q", "ms"),
    [
        (counts(), 0.5, None),
        (counts(b0=10), 0.5, 2),  # the middle of 0 to 5 ms, rounded to even
        (counts(b1=100), 0.99, 10),  # 5 + 5 * 0.99 ms
        (counts(b0=50, b4=50), 0.5, 5),  # exactly at the end of the first
        (counts(b0=98, b9=2), 0.99, 3750),  # half of 2.5 to 5 s
        (counts(b27=3), 0.5, 259_200_000),  # beyond the last end: that end
    ],
)
def test_a_quantile_lies_within_its_bucket(filled: list[int], q: float, ms: int | None) -> None:
    assert quantile(filled, q) == ms


def test_no_bucket_is_more_than_two_and_a_half_times_as_far_as_the_one_before_it() -> None:
    """So far at most a percentile is off, says docs/operations.md."""
    assert all(0 < before < end <= 2.5 * before for before, end in pairwise(BUCKETS))


@given(st.floats(0, 400_000))
def test_what_was_observed_is_in_its_bucket(seconds: float) -> None:
    timing = Histogram("took", "books")
    timing.observe(seconds)
    counted = bucket_counts({tuple(name.split("|")): n for name, n in timing.take().items()}, "took", "books")
    (bucket,) = [number for number, count in enumerate(counted) if count]
    ends = [0.0, *BUCKETS, float("inf")]
    assert ends[bucket] <= seconds <= ends[bucket + 1]


def test_rates_are_what_was_added_a_second() -> None:
    before = {("receipt", "acme", "accepted"): 10, ("attempt", "books", "delivered"): 5}
    after = {
        ("receipt", "acme", "accepted"): 30,
        ("receipt", "acme", "duplicate"): 2,
        ("receipt", "acme", "routed"): 30,  # the same ones, later
        ("attempt", "books", "delivered"): 6,
        ("attempt", "books", "retry"): 3,
        ("delivery", "books", "delivered"): 1,
    }
    assert rates(before, after, 2.0) == {"receipts": 11.0, "attempts": 2.0, "delivered": 0.5}
