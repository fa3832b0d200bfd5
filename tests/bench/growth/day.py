"""A day of a thousand accounts, played to a relay of real processes.

The store's clock is its own, so a day cannot be made shorter by another clock. What is played instead: the busiest
minute at its own pace, and a sample of the whole day in minutes. What follows for the whole day is computed from both.
"""

import math
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tests.bench.growth.files import CONTENT, WON, token
from tests.bench.growth.measured_relay import MeasuredRelay
from tests.bench.growth.player import PlannedHook, PlayedHook
from tests.bench.growth.traffic import DAY_SECONDS, TrafficHook, busiest, most_in, plan_day, thin
from tests.bench.load_results import percentile
from tests.bench.memory import pass_hours
from tests.bench.stack import run

ACCOUNTS: Final = 1000
OF_A_SINK: Final = 10  # accounts
WORKERS: Final = 2
MINUTE: Final = 60.0
SAMPLE: Final = 24_000
PLAYED_SECONDS: Final = 120.0
PLANNED_SHARE: Final = 0.5  # of a core that is planned for, as in `relay capacity`
FOLDER: Final = Path(__file__).parents[2] / "fixtures" / "amocrm"
FORMS: Final = {
    "lead_update": "lead_update", "lead_status": "lead_won", "lead_won": "lead_won", "lead_add": "lead_add_2016",
    "contact_update": "contact_handed_over", "contact_add": "contact_new", "task_add": "task_add",
}  # fmt: skip
DELIVERED: Final = frozenset({"lead_won", "lead_add", "contact_add"})
_ID: Final = re.compile(rb"(%5B0%5D%5Bid%5D=)\d+")
_WON: Final = re.compile(rb"(%5Bstatus_id%5D=)142&")
OTHER_STATUS: Final = 10216995


def configuration(receiver_url: str, accounts: int = ACCOUNTS) -> dict[str, Any]:
    """Return a configuration: each ten accounts have a system of their own, with a route for each of three events."""
    groups = range(accounts // OF_A_SINK)
    contact = {"lead": "{{ contact.id }}", "name": "{{ contact.name }}"}  # the receiver finds it by this key
    routes = {
        "won": {"on": ["status_lead"], "where": {"status_id": WON}, "body": CONTENT},
        "new": {"on": ["add_lead"], "body": {"lead": "{{ lead.id }}"}},
        "contact": {"on": ["add_contact"], "body": contact},
    }
    return {
        "sources": {f"s{n}": {"type": "amocrm", "token": token(n)} for n in range(accounts)},
        "sinks": {f"sink{n}": {"type": "http", "url": receiver_url, "idempotency": "honoured"} for n in groups},
        "routes": [
            {"name": f"{name} {n}", "source": _sources_of(n), "to": f"sink{n}", "path": f"/{name}", **keys}
            for n in groups
            for name, keys in routes.items()
        ],
    }


def _sources_of(group: int) -> list[str]:
    return [f"s{group * OF_A_SINK + n}" for n in range(OF_A_SINK)]


def as_hook(hook: TrafficHook, number: int, seconds: float) -> PlannedHook:
    """Return the POST of a hook, about an entity of that number."""
    body = _ID.sub(rb"\g<1>%d" % number, (FOLDER / f"{FORMS[hook.kind]}.form").read_bytes(), count=1)
    if hook.kind == "lead_status":
        body = _WON.sub(rb"\g<1>%d&" % OTHER_STATUS, body)
    path = f"/hooks/s{hook.account}/{token(hook.account)}"
    return PlannedHook(seconds, path, body.decode(), number)


class Day:
    """The relay that plays it, and how much of each process it has used."""

    def __init__(self, stack: ExitStack, logs: Path) -> None:
        self.relay = MeasuredRelay(stack, logs / "day", configuration, workers=WORKERS)
        self._next = 1_000_000

    def play(self, hooks: Sequence[TrafficHook], begin: float, faster: float) -> dict[str, float]:
        """Play hooks from a second of the day on, so many times faster. Returns what it cost, and how late it was."""
        planned = [as_hook(one, self._next + n, (one.second - begin) / faster) for n, one in enumerate(hooks)]
        self._next += len(hooks)
        expected = {one.number for one, hook in zip(planned, hooks, strict=True) if hook.kind in DELIVERED}
        before, began = self.relay.cpu_seconds(), time.monotonic()
        played = self.relay.post(planned)
        arrived = self.relay.wait_for_leads(expected)
        seconds = time.monotonic() - began
        used = {name: cpu - before[name] for name, cpu in self.relay.cpu_seconds().items()}
        return {
            "hooks": len(hooks),
            "seconds": round(seconds, 1),
            "repeated": sum(not one.taken for one in played),  # as amoCRM does
            **_latency(played, arrived),
            **{f"{name}_cpu_us": round(cpu / len(hooks) * 1e6, 1) for name, cpu in used.items()},
            **{f"{name}_cores": round(cpu / seconds, 3) for name, cpu in used.items()},
        }

    def memory(self) -> int:
        return self.relay.stores.memory_bytes()


def _latency(played: Sequence[PlayedHook], arrived: Mapping[int, float]) -> dict[str, float | None]:
    answered = sorted((one.ended - one.began) * 1000 for one in played if one.taken)
    late = sorted((arrived[one.number] - one.began) * 1000 for one in played if one.number in arrived)
    found = {"answer_p99_ms": percentile(answered, 0.99), "late_p50_ms": percentile(late, 0.5)}
    found["late_p99_ms"] = percentile(late, 0.99)
    return {name: None if value is None else round(value, 1) for name, value in found.items()}


def measure_day(logs: Path, sample: int = SAMPLE, seconds: float = PLAYED_SECONDS) -> dict[str, Any]:
    """Play the busiest minute and a sample of the day; compute what the whole day needs."""
    hooks = plan_day(ACCOUNTS)
    minute_begin, minute = busiest(hooks, MINUTE)
    few = thin(hooks, sample)
    with ExitStack() as stack:
        day = Day(stack, logs)
        empty = day.memory()
        busy = day.play(minute, minute_begin, 1)
        before = day.memory()
        sampled = day.play(few, 0.0, DAY_SECONDS / seconds)
        stored = day.memory()
        run(pass_hours(day.relay.stores.url, day.relay.namespace))
        packed = day.memory()
    each = {"stored": (stored - before) / len(few), "packed": (packed - empty) / (len(few) + len(minute))}
    return {
        "accounts": ACCOUNTS,
        "hooks": len(hooks),
        "busiest_second": most_in(hooks, 1),
        "busiest_minute": len(minute),
        "busiest_hour": most_in(hooks, 3600),
        "minute": busy,
        "sample": sampled,
        "bytes_each": {name: round(of) for name, of in each.items()},
        **needs(hooks, busy, each),
    }


def needs(hooks: Sequence[TrafficHook], busy: Mapping[str, Any], each: Mapping[str, float]) -> dict[str, float]:
    """Compute what a whole day takes: memory, and how much of a core by the busiest minute.

    What came within two and a half hours is not packed yet: of that the busiest time of a day is taken.
    """
    unpacked = max(most_in(hooks, 3 * 3600), 1)
    return {
        "store_mb_a_day": round((unpacked * each["stored"] + (len(hooks) - unpacked) * each["packed"]) / 1e6, 1),
        "store_mb_a_further_day": round(len(hooks) * each["packed"] / 1e6, 1),
        "workers": max(math.ceil(busy["workers_cores"] / PLANNED_SHARE), 1),
        "webs": max(math.ceil(busy["web_cores"] / PLANNED_SHARE), 1),
        "cpu_hours_a_day": round(
            sum(busy[f"{name}_cpu_us"] for name in ("web", "workers", "store")) * len(hooks) / 1e6 / 3600, 2
        ),
    }
