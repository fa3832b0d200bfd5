"""When a text may be sent, and how many, with the time as an argument."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import Outcome
from relay.sinks.sms.rules import SendingRules, parse_window, refunds
from relay.store.shared_state import QuotaExceeded

NOW = 1_790_000_000.0  # Mon 2026-09-21 14:13:20 UTC, 17:13:20 in Moscow
HOUR = 3_600_000
MOSCOW = ZoneInfo("Europe/Moscow")


def at(clock: str, zone: str = "Europe/Moscow", day: str = "2026-09-21") -> float:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("window", "clock", "wait_ms"),
    [
        ("10:00-20:00", "10:00:00", 0),
        ("10:00-20:00", "19:59:59", 0),
        ("10:00-20:00", "20:00:00", 14 * HOUR),
        ("10:00-20:00", "09:59:59", 1000),
        ("10:00-20:00", "00:00:00", 10 * HOUR),
        ("09:00-24:00", "23:59:59", 0),
        ("00:00-24:00", "23:59:59", 0),
        ("22:00-06:00", "23:00:00", 0),
        ("22:00-06:00", "05:59:59", 0),
        ("22:00-06:00", "06:00:00", 16 * HOUR),
    ],
)
def test_a_window_is_open_or_opens(window, clock, wait_ms):
    assert parse_window(window).wait_ms(at(clock), MOSCOW) == wait_ms


def test_a_window_opens_by_the_clock_on_the_wall_when_that_is_changed():
    berlin = ZoneInfo("Europe/Berlin")
    # Spring forward on 2026-03-29 at 2:00: from 20:00 to 10:00 are 13 hours.
    assert parse_window("10:00-20:00").wait_ms(at("20:00:00", "Europe/Berlin", "2026-03-28"), berlin) == 13 * HOUR


@pytest.mark.parametrize("text", ["10-20", "10:00", "25:00-26:00", "10:00-10:00", "24:00-10:00", "10:00-20:60", ""])
def test_a_wrong_window_is_refused(text):
    with pytest.raises(ValueError, match="such as 10:00-20:00"):
        parse_window(text)


@settings(max_examples=60)
@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 4 * 366 * 86_400))
def test_a_window_that_opens_is_open_then(opens, closes, later):
    if opens == closes:
        return
    window = parse_window(f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}")
    now = NOW + later
    wait_ms = window.wait_ms(now, MOSCOW)
    assert 0 <= wait_ms <= 24 * HOUR
    assert window.wait_ms(now + wait_ms / 1000 + 0.002, MOSCOW) == 0


@pytest.mark.parametrize(
    ("recipients", "sinks", "accounts", "open_"),
    [
        # It is 14:13 UTC, 17:13 in Moscow, 00:13 in Vladivostok.
        ("", None, "", True),
        ("Asia/Vladivostok", None, "Europe/Moscow", False),
        ("", "Asia/Vladivostok", "Europe/Moscow", False),
        ("Europe/Moscow", "Asia/Vladivostok", "Asia/Vladivostok", True),
        ("", None, "Asia/Vladivostok", False),
    ],
)
def test_the_hours_are_the_recipients_else_the_sinks_else_the_accounts(message, recipients, sinks, accounts, open_):
    policy = SendingRules(sink="sms", window=parse_window("10:00-20:00"), zone=ZoneInfo(sinks) if sinks else None)
    result = policy.refusal(message(timezone=recipients, account_timezone=accounts), NOW)
    assert (result is None) is open_


def test_outside_of_the_window_it_waits_without_an_attempt_and_looks_again_within_the_hour(message):
    policy = SendingRules(sink="sms", window=parse_window("10:00-20:00"), zone=MOSCOW)
    result = policy.refusal(message(), at("21:30"))
    assert (result.outcome, result.after_ms) == (Outcome.THROTTLED, HOUR)
    assert result.reason == "it is 21:30 in Europe/Moscow, outside of the window"
    assert policy.refusal(message(), at("09:45")).after_ms == 15 * 60_000


def test_a_number_on_the_stop_list_is_skipped(message):
    policy = SendingRules(sink="sms", stop_list=frozenset({"+79161234567"}))
    result = policy.refusal(message(), NOW)
    assert (result.outcome, result.reason) == (Outcome.SKIPPED, "+7***4567 is on the stop list")
    assert policy.refusal(message(phone="+79261234567"), NOW) is None


def full(**more) -> SendingRules:
    fields = {"cooldown_ms": 600_000, "per_number": 2, "per_day": 3, "monthly_budget": Decimal(10)}
    return SendingRules(**{"sink": "sms", "zone": MOSCOW, "segment_price": Decimal("2.5"), **fields, **more})


def kind(key: str) -> str:
    return key.split(":")[2]


def test_a_text_is_counted_in_every_quota(message):
    long = message(text="я" * 71)
    caps = {kind(cap.key): (cap.amount, cap.limit, cap.until_ms) for cap in full().quotas(long, NOW)}
    midnight, month = int(at("00:00", day="2026-09-22") * 1000), int(at("00:00", day="2026-10-01") * 1000)
    assert caps == {
        "own": (1, 1, int(NOW * 1000) + 24 * HOUR),
        "same": (1, 1, int(NOW * 1000) + 600_000),
        "number": (1, 2, midnight),
        "day": (1, 3, midnight),
        "month": (50_000, 100_000, month),  # 2 segments of 2.50, in ten-thousandths
    }
    assert [kind(cap.key) for cap in SendingRules(sink="sms").quotas(long, NOW)] == ["own"]
    assert "9161234567" not in repr(full().quotas(long, NOW))


def test_december_ends_with_the_year(message):
    (*_, month) = full().quotas(message(), at("12:00", day="2026-12-31"))
    assert month.until_ms == int(at("00:00", day="2027-01-01") * 1000)


@pytest.mark.parametrize(
    ("kind_", "outcome", "after_ms", "reason"),
    [
        ("same", Outcome.SKIPPED, None, "+7***4567 was sent the same text less than 10m ago"),
        ("number", Outcome.THROTTLED, HOUR, "+7***4567 was sent 2 today, the limit per_number"),
        ("day", Outcome.THROTTLED, HOUR, "3 were sent today, the limit per_day"),
        ("month", Outcome.BLOCKED, HOUR, "the month's budget of 10 is used up until 2026-10-01: wait, or raise it"),
    ],
)
def test_every_exceeded_quota_has_its_outcome(message, kind_, outcome, after_ms, reason):
    policy = full()
    (cap,) = [cap for cap in policy.quotas(message(), NOW) if kind(cap.key) == kind_]
    refusal = QuotaExceeded(key=cap.key, wait_ms=cap.until_ms - int(NOW * 1000))
    result = policy.quota_refusal(refusal, message(), NOW)
    assert (result.outcome, result.after_ms, result.reason) == (outcome, after_ms, reason)


def test_a_delivery_that_was_counted_before_is_sent(message):
    policy = full()
    own = policy.quotas(message(), NOW)[0]
    assert policy.quota_refusal(QuotaExceeded(key=own.key, wait_ms=1), message(), NOW) is None


def test_a_sink_may_be_named_like_a_quota(message):
    policy = full(sink="own")
    same = policy.quotas(message(), NOW)[1]
    assert policy.quota_refusal(QuotaExceeded(key=same.key, wait_ms=1), message(), NOW).outcome is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("cost", "amounts"),
    [("2.5", []), ("3.1", [6_000]), ("0", [-25_000]), (None, [])],
)
def test_the_budget_is_corrected_by_what_a_text_did_cost(message, cost, amounts):
    assert [cap.amount for cap in full().cost_correction(message(), cost, NOW)] == amounts


def test_refunds_undo_what_was_spent(message):
    caps = full().quotas(message(), NOW)
    assert [(cap.key, -cap.amount) for cap in refunds(caps)] == [(cap.key, cap.amount) for cap in caps]
