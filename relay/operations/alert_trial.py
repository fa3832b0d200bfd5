"""Send a sample fact through each sink that alerts go to, and tell what came of it.

It takes the way of a worker's attempt, and not the queue: nothing is stored, and a gate that is closed or paused is not
looked at, because whoever tries a sink out wants its answer now.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from relay.config.config import Config
from relay.errors import ConfigError
from relay.events import decode_events
from relay.facts.body import encode_fact
from relay.facts.kinds import DELIVERED, FACT_VIEWS, FACTS, OWN_SOURCE
from relay.masking import mask_secrets
from relay.model import Delivery, Event, Outcome, Receipt, Record, Result
from relay.planning.content import RENDER_ERRORS, render_content
from relay.planning.matching import event_context
from relay.routing import Route
from relay.sinks.base import Sink
from relay.sinks.registry import make_sinks
from relay.sinks.tools import Tools

SAMPLE: Final = "a-sample"
"""What stands for the sink, route and source that a sample fact is about."""

_ALERTS: Final = FACTS.keys() - {DELIVERED}  # that one follows a delivery, and alarms nobody
_TEST: Final = "this is a test: nothing has happened"
_SAID: Final = frozenset({"reason", "found", "means"})
_ID: Final = "00000000-0000-0000-0000-000000000000"
_LONGEST_WAIT_MS: Final = 10_000


class AlertTrial(Record):
    """What came of a sample fact at a sink. `route`: whose content it had; `fact`: of which kind it was."""

    sink: str
    type: str
    route: str
    fact: str
    outcome: str  # as of an attempt; "unsendable" where the route makes nothing of it
    reason: str

    @property
    def delivered(self) -> bool:
        """Return whether it arrived."""
        return self.outcome == Outcome.DELIVERED


def alert_routes(config: Config, sink: str | None = None) -> dict[str, Route]:
    """Return the sinks that alerts go to, each with the first route to it, or only one. Raises ConfigError.

    A shadow route sends nothing, and one that follows deliveries (`on: delivered`) alarms nobody.
    """
    found: dict[str, Route] = {}
    for route in config.routes:
        if route.on & _ALERTS and not route.shadow:
            found |= {name: route for name in route.sinks if name not in found}
    if sink is None and not found:
        raise ConfigError("no route is on a fact of the relay: write one, such as on: [delivery_dead, sink_closed]")
    if sink is not None and sink not in found:
        others = f"alerts go to {', '.join(found)}" if found else "no route is on a fact of the relay"
        raise ConfigError(f"no alert goes to the sink {sink}: {others}")
    return found if sink is None else {sink: found[sink]}


async def try_alerts(config: Config, routes: Mapping[str, Route], tools: Tools) -> list[AlertTrial]:
    """Send a sample fact to each of these sinks. Raises StoreUnavailable."""
    sinks = make_sinks(config)
    return [await _try(config, sinks[name], route, tools) for name, route in routes.items()]


async def _try(config: Config, sink: Sink, route: Route, tools: Tools) -> AlertTrial:
    kind = next(name for name in FACTS if name in route.on & _ALERTS)
    now = int(tools.now() * 1000)
    event = sample_fact(kind, now)
    source = config.find_source(OWN_SOURCE)
    assert source is not None
    trial = AlertTrial(sink=sink.name, type=sink.type, route=route.name, fact=kind, outcome="unsendable", reason="")
    try:
        content = render_content(route, sink, event_context(event, source)[1])
    except RENDER_ERRORS as error:
        return msgspec.structs.replace(trial, reason=mask_secrets(str(error), sink.hidden_anywhere))
    result = await _send(sink, _delivery(event, route, sink, content, now), tools.of(sink.asker, sink.proxy))
    reason = mask_secrets(result.reason, sink.hidden_anywhere)
    return msgspec.structs.replace(trial, outcome=result.outcome, reason=reason)


async def _send(sink: Sink, delivery: Delivery, tools: Tools) -> Result:
    refusal = await sink.admit(delivery, tools)
    if refusal is not None:
        return refusal
    until = time.monotonic() + _LONGEST_WAIT_MS / 1000
    while sink.limits and (wait_ms := await tools.shared.take_grant(sink.limits)):
        if time.monotonic() + wait_ms / 1000 > until:
            return Result(outcome=Outcome.THROTTLED, reason="the sink's rate leaves no room for it now")
        await asyncio.sleep(wait_ms / 1000)
    return await sink.send(delivery, tools)


def sample_fact(kind: str, now: int) -> Event:
    """Return a fact of a kind, which says that it is a test. `now`: epoch milliseconds. Pure."""
    views = {view: dict(_sample_fields(kind, view, fields)) for view, fields in FACT_VIEWS[FACTS[kind].view].items()}
    views["fact"] = {}
    receipt = Receipt(id=_ID, source=OWN_SOURCE, received_at=now, body=encode_fact(kind, views, now))
    _, (event,) = decode_events(receipt)
    return event


def _sample_fields(kind: str, view: str, fields: frozenset[str]) -> Iterator[tuple[str, str]]:
    known = {"id": _ID, "event": f"{_ID}.0", "attempts": "1", "state": kind.partition("_")[2], "closed_by": "answer"}
    for field in fields:
        if field in _SAID:
            yield field, _TEST
        elif field == "route" and view == "sink":
            yield field, ""  # the gate of the whole sink
        else:
            yield field, known.get(field, SAMPLE)


def _delivery(event: Event, route: Route, sink: Sink, content: bytes, now: int) -> Delivery:
    return Delivery(
        id=f"alerts-test-{now}",
        event_id=event.id,
        source=OWN_SOURCE,
        route=route.name,
        sink=sink.name,
        content=content,
        accepted_at=now,
        created_at=now,
        attempts=0,
        deaths=0,
        token="",
        sending=False,
    )
