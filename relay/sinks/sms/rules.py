"""When a text may be sent, and how many: the hours of the week, the stop list, repetitions, quotas, the month's budget.

Quotas are counted over all workers, in the shared state. They are spent before a text is sent, because later would be
too late for a limit to hold, and refunded where the gateway did not accept the text. Where nobody knows, they stay
spent, and the delivery's own quota prevents that its next attempt is counted again.
"""

import math
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from relay.durations import UNITS_MS, format_exact_duration
from relay.facts.kinds import FactViews
from relay.masking import mask_phone
from relay.model import Outcome, Record, Result
from relay.sinks.sms.content import Message
from relay.sinks.sms.windows import Window
from relay.store.quotas import Quota, QuotaExceeded

_HOUR_MS: Final = UNITS_MS["h"]
_DAY_MS: Final = UNITS_MS["d"]
_MONEY_UNITS: Final = 10_000  # gateways charge to the fourth decimal place
_NO_LIMIT: Final = 2**53


class SendingRules(Record):
    """What an operator allows a sink. Money is in the gateway's currency; `zone` sets the days and months of quotas."""

    sink: str
    window: Window | None = None
    zone: ZoneInfo | None = None
    stop_list: frozenset[str] = frozenset()
    cooldown_ms: int = 0
    per_number: int | None = None
    per_day: int | None = None
    monthly_budget: Decimal | None = None
    segment_price: Decimal = Decimal(0)

    def refusal(self, message: Message, now: float) -> Result | None:
        """Return why a text may not be sent now, or ever, whatever was sent before; None: it may."""
        if message.phone in self.stop_list:
            return Result(outcome=Outcome.SKIPPED, reason=f"{mask_phone(message.phone)} is on the stop list")
        opening = self._next_open(message, now)
        if opening <= now:
            return None
        zone = message.zone(self.zone)
        return _later(opening, now, zone, f"it is {_clock(now, zone)} in {zone.key}, outside of the window")

    def _next_open(self, message: Message, at: float) -> float:
        return self.window.next_open(at, message.zone(self.zone)) if self.window else at

    def quotas(self, message: Message, now: float) -> tuple[Quota, ...]:
        """Return the quotas that a text uses. The first is the delivery's own: where that is used, all of them are."""
        local = datetime.fromtimestamp(now, self._calendar)
        midnight = _ms(datetime.combine(local.date() + timedelta(days=1), time(), self._calendar))
        day, number = f"{local:%Y-%m-%d}", _digest(message.phone)
        quotas = [Quota(key=self._key("own", message.id), amount=1, limit=1, until_ms=int(now * 1000) + _DAY_MS)]
        if self.cooldown_ms:
            same = self._key("same", _digest(message.phone, message.text))
            quotas.append(Quota(key=same, amount=1, limit=1, until_ms=int(now * 1000) + self.cooldown_ms))
        if self.per_number is not None:
            key = self._key("number", f"{number}:{day}")
            quotas.append(Quota(key=key, amount=1, limit=self.per_number, until_ms=midnight))
        if self.per_day is not None:
            quotas.append(Quota(key=self._key("day", day), amount=1, limit=self.per_day, until_ms=midnight))
        if self.monthly_budget is not None:
            end = _ms(datetime.combine(_next_month(local.date()), time(), self._calendar))
            price = _units(self.segment_price * message.segments)
            key = self._key("month", f"{local:%Y-%m}")
            quotas.append(Quota(key=key, amount=price, limit=_units(self.monthly_budget), until_ms=end))
        return tuple(quotas)

    def budgets(self, quotas: Sequence[Quota]) -> dict[str, FactViews]:
        """Return what routes see of the fact that the day's or the month's limit is reached, by its quota's key."""
        found = {
            "day": self._day_is_full,
            "month": f"the month's budget of {self.monthly_budget} is used up",
        }
        problem = {"kind": "budget-reached", "subject": self.sink, "means": "what is for it waits", "cause": ""}
        problem["advice"] = "wait, or raise the limit"
        return {
            quota.key: {"problem": {**problem, "found": found[kind]}}
            for quota in quotas
            if (kind := self._kind_of(quota.key)) in found
        }

    def quota_refusal(self, exceeded: QuotaExceeded, message: Message, now: float) -> Result | None:
        """Return what an exceeded quota means; None: the delivery itself used it before, so the text may be sent."""
        number, zone = mask_phone(message.phone), message.zone(self.zone)
        opening = self._next_open(message, now + exceeded.wait_ms / 1000)
        match self._kind_of(exceeded.key):
            case "own":
                return None
            case "same":
                ago = format_exact_duration(self.cooldown_ms)
                return Result(outcome=Outcome.SKIPPED, reason=f"{number} was sent the same text less than {ago} ago")
            case "number":
                return _later(opening, now, zone, f"{number} was sent {self.per_number} today, the limit per_number")
            case "day":
                return _later(opening, now, zone, self._day_is_full)
            case _:
                until = _next_month(datetime.fromtimestamp(now, self._calendar).date())
                reason = f"the month's budget of {self.monthly_budget} is used up until {until}: wait, or raise it"
                # Try again every hour: the operator may have raised the budget.
                return Result(outcome=Outcome.BLOCKED, reason=reason, after_ms=min(exceeded.wait_ms, _HOUR_MS))

    def cost_correction(self, message: Message, cost: str | None, now: float) -> tuple[Quota, ...]:
        """Return the difference between the cost, now that it is known, and what was counted."""
        quotas = self.quotas(message, now)
        if self.monthly_budget is None or cost is None:
            return ()
        difference = _units(Decimal(cost)) - quotas[-1].amount
        return (msgspec.structs.replace(quotas[-1], amount=difference, limit=_NO_LIMIT),) if difference else ()

    @property
    def _day_is_full(self) -> str:
        return f"{self.per_day} were sent today, the limit per_day"

    @property
    def _calendar(self) -> ZoneInfo:
        return self.zone or ZoneInfo("UTC")

    def _kind_of(self, key: str) -> str:
        return key.removeprefix(self._key("", "")).partition(":")[0]

    def _key(self, kind: str, what: str) -> str:
        return f"sms:{self.sink}:{kind}:{what}" if kind else f"sms:{self.sink}:"


def refunds(quotas: Sequence[Quota]) -> tuple[Quota, ...]:
    """Return the quotas that give back what was spent."""
    return tuple(msgspec.structs.replace(quota, amount=-quota.amount) for quota in quotas)


def _later(at: float, now: float, zone: ZoneInfo, reason: str) -> Result:
    """Wait until a time (unix seconds), and say so."""
    after_ms = max(math.ceil((at - now) * 1000), 1)
    reason = f"{reason}: it leaves at {_clock(at, zone)}"
    return Result(outcome=Outcome.THROTTLED, reason=reason, after_ms=after_ms, exact=True)


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def _units(money: Decimal) -> int:
    return int(money * _MONEY_UNITS)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _clock(at: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%a %d %b %H:%M}"
