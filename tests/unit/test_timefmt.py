"""Times are read as people write them, and written as people read them."""

import time
from collections.abc import Iterator

import pytest

from relay.timefmt import format_clock, format_duration, format_time, parse_time

NOW = 1_795_443_326_526


@pytest.mark.parametrize(("text", "ago"), [("15m", 900_000), ("2h", 7_200_000), ("3d", 259_200_000), ("1s", 1_000)])
def test_a_duration_is_that_long_ago(text: str, ago: int) -> None:
    assert parse_time(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "ms"),
    [("2026-11-23T14:30:00+00:00", 1_795_444_200_000), ("2026-11-23T17:30+03:00", 1_795_444_200_000)],
)
def test_an_iso_time_is_that_time(text: str, ms: int) -> None:
    assert parse_time(text, NOW) == ms


@pytest.fixture(params=["UTC", "Europe/Moscow", "America/New_York"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_zone")
def test_a_time_that_was_printed_can_be_typed_in_again_also_in_the_hour_that_comes_twice() -> None:
    for ms in (NOW, 1_793_512_800_000, 1_793_516_400_000):  # 1 November 2026, 2:00 and 3:00 UTC less 4 or 5 hours
        assert parse_time(format_time(ms), 0) == ms


def test_a_time_says_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Moscow")
    time.tzset()
    try:
        assert format_time(NOW) == "2026-11-23 17:15:26.526+03:00"
        assert format_clock(NOW) == "17:15:26+03:00"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert format_time(None) == ""


@pytest.mark.parametrize("text", ["yesterday", "", "2 hours", "23.11.2026"])
def test_anything_else_says_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match="write 15m, 2h or 3d"):
        parse_time(text, NOW)


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0ms"), (999, "999ms"), (1_500, "1.5s"), (61_000, "1m 1s"), (3_660_000, "1h 1m"), (90_000_000, "1d 1h")],
)
def test_a_duration_is_written_in_its_two_largest_units(ms: int, text: str) -> None:
    assert format_duration(ms) == text
