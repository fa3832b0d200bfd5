"""When the store is full, by what it used in the last hours and days."""

import pytest

from relay.operations.headroom import forecast
from relay.store.health import MemorySample, MemoryUse

HOUR = 3_600_000
NOW = 1_790_000_000_000
LIMIT = 1_000_000


def samples(*used: int) -> list[MemorySample]:
    """Make samples an hour apart, the last one an hour ago; the newest first."""
    oldest = NOW - len(used) * HOUR
    return [MemorySample(at=oldest + index * HOUR, used=one) for index, one in enumerate(used)][::-1]


@pytest.mark.parametrize(
    ("used", "now", "said"),
    [
        ([], 410_000, "no forecast yet: it takes 6 hours of samples, there are 0"),
        ([1, 2, 3], 4, "no forecast yet: it takes 6 hours of samples, there are 3"),
        (range(386_000, 410_000, 2_000), 410_000, "full in about 9 days at this rate"),  # 440,000 to go, 2,000 an hour
        (range(400_000, 500_000, 10_000), 500_000, "full in about 35 hours at this rate"),
        (range(740_000, 840_000, 10_000), 840_000, "full in about 1 hour at this rate"),
        ([410_000] * 12, 410_000, "it does not grow"),
        (range(500_000, 400_000, -5_000), 400_000, "it does not grow"),
        (range(410_000, 410_012), 410_012, "not full within a year at this rate"),
        # Everything was deleted four hours ago: what was before says nothing.
        ([*range(500_000, 800_000, 30_000), 1_000, 2_000, 3_000], 4_000,
         "no forecast yet: it takes 6 hours of samples, there are 3"),
        # Retention goes up and down; the line through all counts.
        ([400_000, 430_000, 410_000, 440_000, 420_000, 450_000, 430_000, 460_000], 440_000,
         "full in about 3 days at this rate"),
    ],
)  # fmt: skip
def test_what_is_said(used, now, said) -> None:
    assert forecast(samples(*used), MemoryUse(used=now, limit=LIMIT), NOW).describe() == said


def test_a_store_that_is_full_is_full_now() -> None:
    ahead = forecast(samples(*range(750_000, 870_000, 10_000)), MemoryUse(used=870_000, limit=LIMIT), NOW)
    assert ahead.full_in_ms == 0


def test_samples_of_a_clock_that_was_set_back_do_not_count() -> None:
    later = [MemorySample(at=sample.at + 100 * HOUR, used=sample.used) for sample in samples(*range(12))]
    assert not forecast(later, MemoryUse(used=5, limit=LIMIT), NOW).enough
