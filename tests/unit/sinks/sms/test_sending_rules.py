"""When a text may be sent, and how many, with the time as an argument."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from relay.model import Outcome
from relay.sinks.sms.rules import SendingRules, refunds
from relay.sinks.sms.windows import parse_window
from relay.store.quotas import QuotaExceeded

NOW = 1_790_000_000.0  # Mon 2026-09-21 14:13:20 UTC, 17:13:20 in Moscow
HOUR = 3_600_000
TO_MIDNIGHT = 24_400_000  # in Moscow: 6:46:40
MOSCOW = ZoneInfo("Europe/Moscow")


def at(clock: str, zone: str = "Europe/Moscow", day: str = "2026-09-21") -> float:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).timestamp()


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
    policy = SendingRules(sink="sms", window=parse_window(["10:00-20:00"]), zone=ZoneInfo(sinks) if sinks else None)
    result = policy.refusal(message(timezone=recipients, account_timezone=accounts), NOW)
    assert (result is None) is open_


def test_outside_of_the_window_it_waits_without_an_attempt_until_it_opens(message):
    policy = SendingRules(sink="sms", window=parse_window(["mon-fri 10:00-20:00"]), zone=MOSCOW)
    result = policy.refusal(message(), at("21:30"))
    assert (result.outcome, result.after_ms, result.exact) == (Outcome.THROTTLED, 12 * HOUR + HOUR // 2, True)
    assert result.reason == (
        "it is Mon 21 Sep 21:30 in Europe/Moscow, outside of the window: it leaves at Tue 22 Sep 10:00"
    )
    assert policy.refusal(message(), at("20:00", day="2026-09-25")).after_ms == (2 * 24 + 14) * HOUR  # a weekend
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
        (
            "number",
            Outcome.THROTTLED,
            TO_MIDNIGHT,
            "+7***4567 was sent 2 today, the limit per_number: it leaves at Tue 22 Sep 00:00",
        ),
        ("day", Outcome.THROTTLED, TO_MIDNIGHT, "3 were sent today, the limit per_day: it leaves at Tue 22 Sep 00:00"),
        ("month", Outcome.BLOCKED, HOUR, "the month's budget of 10 is used up until 2026-10-01: wait, or raise it"),
    ],
)
def test_every_exceeded_quota_has_its_outcome(message, kind_, outcome, after_ms, reason):
    policy = full()
    (cap,) = [cap for cap in policy.quotas(message(), NOW) if kind(cap.key) == kind_]
    refusal = QuotaExceeded(key=cap.key, wait_ms=cap.until_ms - int(NOW * 1000))
    result = policy.quota_refusal(refusal, message(), NOW)
    assert (result.outcome, result.after_ms, result.reason) == (outcome, after_ms, reason)


def test_what_waits_for_the_next_day_waits_for_its_window_too(message):
    policy = full(window=parse_window(["09:00-20:00"]))
    (cap,) = [cap for cap in policy.quotas(message(), NOW) if kind(cap.key) == "number"]
    exceeded = QuotaExceeded(key=cap.key, wait_ms=cap.until_ms - int(NOW * 1000))
    result = policy.quota_refusal(exceeded, message(), NOW)
    assert result.after_ms == TO_MIDNIGHT + 9 * HOUR
    assert result.reason.endswith("it leaves at Tue 22 Sep 09:00")


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
