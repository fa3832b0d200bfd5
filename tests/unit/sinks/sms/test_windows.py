"""The hours of the week in which people may be texted."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sinks.sms.windows import parse_window

HOUR, DAY = 3600, 86_400
MONDAY = 1_790_000_000.0  # Mon 2026-09-21 14:13:20 UTC, 17:13:20 in Moscow
MOSCOW = ZoneInfo("Europe/Moscow")
DAYS = {"mon": "21", "tue": "22", "wed": "23", "thu": "24", "fri": "25", "sat": "26", "sun": "27"}


def at(clock: str, zone: ZoneInfo = MOSCOW, date: str = "2026-09-21") -> float:
    return datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("lines", "day", "clock", "wait"),
    [
        (["10:00-20:00"], "mon", "10:00:00", 0),
        (["10:00-20:00"], "sun", "19:59:59", 0),
        (["10:00-20:00"], "mon", "20:00:00", 14 * HOUR),
        (["10:00-20:00"], "mon", "09:59:59", 1),
        (["10:00-20:00"], "mon", "00:00:00", 10 * HOUR),
        (["09:00-24:00"], "mon", "23:59:59", 0),
        (["00:00-24:00"], "mon", "23:59:59", 0),
        (["22:00-06:00"], "mon", "23:00:00", 0),
        (["22:00-06:00"], "mon", "05:59:59", 0),
        (["22:00-06:00"], "mon", "06:00:00", 16 * HOUR),
        (["mon-fri 09:00-20:00"], "fri", "19:59:59", 0),
        (["mon-fri 09:00-20:00"], "fri", "20:00:00", 2 * DAY + 13 * HOUR),
        (["mon-fri 09:00-20:00"], "sat", "12:00:00", DAY + 21 * HOUR),
        (["mon-fri 09:00-20:00"], "sun", "23:59:59", 9 * HOUR + 1),
        (["mon-fri 09:00-20:00"], "mon", "08:00:00", HOUR),
        (["Mon-Fri 09:00 - 20:00"], "tue", "12:00:00", 0),
        (["sat,sun 10:00-18:00"], "wed", "10:00:00", 3 * DAY),
        (["mon,wed-thu 10:00-18:00"], "tue", "10:00:00", DAY),
        (["sat-mon 10:00-18:00"], "sun", "10:00:00", 0),  # over the end of the week
        (["sat-mon 10:00-18:00"], "mon", "18:00:00", 4 * DAY + 16 * HOUR),
        (["mon 10:00-18:00"], "mon", "18:00:00", 6 * DAY + 16 * HOUR),
        (["fri 22:00-06:00"], "sat", "05:59:59", 0),  # Friday's night
        (["fri 22:00-06:00"], "fri", "05:59:59", 16 * HOUR + 1),
        (["sun 22:00-06:00"], "mon", "05:00:00", 0),
        (["mon-fri 09:00-20:00", "sat 10:00-18:00"], "fri", "20:00:00", 14 * HOUR),
        (["mon-fri 09:00-20:00", "sat 10:00-18:00"], "sat", "18:00:00", DAY + 15 * HOUR),
        (["09:00-12:00", "14:00-20:00"], "mon", "13:00:00", HOUR),
    ],
)
def test_a_window_is_open_or_opens(lines, day, clock, wait):
    now = at(clock, date=f"2026-09-{DAYS[day]}")
    assert parse_window(lines).next_open(now, MOSCOW) == now + wait


def test_a_window_opens_by_the_clock_on_the_wall_when_that_is_changed():
    berlin = ZoneInfo("Europe/Berlin")
    now = at("20:00:00", berlin, "2026-03-28")
    # Spring forward on 2026-03-29 at 2:00: from 20:00 to 10:00 are 13 hours.
    assert parse_window(["10:00-20:00"]).next_open(now, berlin) == now + 13 * HOUR


@pytest.mark.parametrize(
    "text",
    [
        "10-20", "10:00", "25:00-26:00", "10:00-10:00", "24:00-10:00", "10:00-20:60", "10:00-24:30", "",
        "mon-fri", "mon-fri10:00-20:00", "mo-fr 10:00-20:00", "mon fri 10:00-20:00", "mon- 10:00-20:00",
        "mon-fri 10:00-20:00, sat 10:00-18:00", "пн-пт 09:00-20:00",
    ],
)  # fmt: skip
def test_a_wrong_window_is_refused_with_examples(text):
    with pytest.raises(ValueError, match='such as 10:00-20:00, "mon-fri 09:00-20:00", or a list'):
        parse_window([text])


clocks = st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda pair: pair[0] != pair[1])
hours = st.builds(
    lambda days, clock: f"{days}{clock[0] // 60:02}:{clock[0] % 60:02}-{clock[1] // 60:02}:{clock[1] % 60:02}",
    st.sampled_from(["", "mon ", "sat,sun ", "mon-fri ", "fri-mon ", "wed,fri-sat "]),
    clocks,
)


@settings(max_examples=150)
@given(st.lists(hours, min_size=1, max_size=3), st.integers(0, 4 * 366 * DAY))
def test_when_it_opens_it_is_open_and_just_before_it_was_not(lines, later):
    window, now = parse_window(lines), MONDAY + later
    opening = window.next_open(now, MOSCOW)
    assert now <= opening <= now + 7 * DAY
    assert window.next_open(opening, MOSCOW) == opening
    if opening > now:
        assert window.next_open(opening - 1, MOSCOW) == opening
