"""The configurations and hooks that are measured: of one thing there is more and more, of all else as before."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from tests.bench.growth.player import PlannedHook
from tests.bench.stack import lead_body

WON: Final = 142
_STATUS = re.compile(rb"(%5Bstatus_id%5D=)142&")
_OWN_FIELD = re.compile(rb"&leads%5Bstatus%5D%5B0%5D%5B(?:custom_fields|tags)%5D[^&]*")
_EVENTS: Final = ("add_lead", "update_lead", "delete_lead", "restore_lead", "responsible_lead")
CONTENT: Final = {"lead": "{{ lead.id }}", "title": "{{ lead.name }}", "amount": "{{ lead.price | decimal }}"}


def configuration(
    receiver_url: str,
    *,
    routes: Mapping[str, Any] | None = None,
    sinks: int = 1,
    sources: int = 1,
    concurrency: int = 64,
) -> dict[str, Any]:
    """Return a configuration: so many sources and sinks, and the given conditions by the names of their routes.

    Sinks and sources are called by their numbers, from 0 on. A route whose name has a number goes to that sink.
    """
    sink = {"type": "http", "url": receiver_url, "concurrency": concurrency, "idempotency": "honoured"}
    content = {"on": ["status_lead"], "path": "/invoices", "body": CONTENT}
    return {
        "sources": {f"s{n}": {"type": "amocrm", "token": token(n)} for n in range(sources)},
        "sinks": {f"sink{n}": {**sink, "max_pending": 5_000_000} for n in range(sinks)},
        "routes": [
            {"name": name, "to": _sink_of(name, sinks), **content, **keys}
            for name, keys in (routes or {"won 0": {"where": {"status_id": WON}}}).items()
        ],
        "subscribers": {"allow": ["127.0.0.1/32"], "concurrency": concurrency},
    }  # fmt: skip


def _sink_of(route: str, sinks: int) -> str:
    return f"sink{int(route.rpartition(' ')[2]) % sinks}"


def token(source: int) -> str:
    return f"bench-token-{source:04}"


def as_yaml(config: Mapping[str, Any]) -> str:
    """Write a configuration: JSON is YAML."""
    return json.dumps(config, ensure_ascii=False, indent=1)


def routes_by_status(count: int) -> dict[str, Any]:
    """Routes for the same event and a status each; the last is the one that the hooks have."""
    return {f"status {n}": {"where": {"status_id": _status(n, count), "price": {"gt": 0}}} for n in range(count)}


def routes_by_price(count: int) -> dict[str, Any]:
    """Routes for the same event whose conditions name no value; the last is the one that matches."""
    prices = [{"gt": 10_000_000 + n} for n in range(count - 1)] + [{"gt": 0}]
    return {f"price {n}": {"where": {"price": price}} for n, price in enumerate(prices)}


def routes_of_other_events(count: int) -> dict[str, Any]:
    others = {f"other {n}": {"on": [_EVENTS[n % len(_EVENTS)]]} for n in range(count - 1)}
    return {**others, f"won {count}": {"where": {"status_id": WON}}}


def routes_to_sinks(sinks: int) -> dict[str, Any]:
    """A route for each sink, each for a status of its own: the hooks go to all of them in turns."""
    return {f"status {n}": {"where": {"status_id": 1000 + n}} for n in range(sinks)}


def _status(number: int, count: int) -> int:
    return WON if number == count - 1 else 1000 + number


def hook(number: int, seconds: float, *, source: int = 0, status: int = WON, size: int = 0) -> PlannedHook:
    """Return a hook about the lead of that number; `size`: at least so many bytes, by fields of the account's own."""
    body = _STATUS.sub(rb"\g<1>%d&" % status, lead_body(number))
    if 0 < size < len(body):
        body = _OWN_FIELD.sub(b"", body)
    return PlannedHook(
        seconds, f"/hooks/s{source}/{token(source)}", (body + _fields(size - len(body))).decode(), number
    )


def _fields(size: int) -> bytes:
    """Return fields of the account's own, of together so many bytes: what makes hooks long in life."""
    text, at = b"", 3
    while len(text) < size:
        field = b"&leads%%5Bstatus%%5D%%5B0%%5D%%5Bcustom_fields%%5D%%5B%d%%5D" % at
        text += b"%b%%5Bid%%5D=%d%b%%5Bname%%5D=field+%d" % (field, 500_000 + at, field, at)
        text += b"%b%%5Bvalues%%5D%%5B0%%5D%%5Bvalue%%5D=%b" % (field, b"%D0%90" * 20)
        at += 1
    return text
