"""`relay explain`: for each route whether it matches, or which clause failed and on what value. Sends nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
import uuid_utils

from relay.amocrm.events import read
from relay.cli import options
from relay.cli.context import config, with_reader
from relay.cli.output import print_json, print_lines
from relay.cli.requests import lines_of
from relay.cli.sources import source_of
from relay.config.load import Config
from relay.errors import Malformed, RelayError
from relay.live_config import make_sinks
from relay.model import Json, Receipt, Record
from relay.planning import RouteEvaluation, evaluate_routes, plan_receipt
from relay.sinks.base import Sink


class Rendered(Record):
    """A delivery that a route would make."""

    sink: str
    id: str
    state: str
    reason: str
    request: Json


class RouteExplanation(Record):
    """What one route says of an event: why it does not match, or what it makes."""

    route: str
    matched: bool
    because: str
    deliveries: Sequence[Rendered]


class EventExplanation(Record):
    """One event, and what every route says of it."""

    event: str
    entity: str
    entity_id: str
    state: str
    reason: str
    routes: Sequence[RouteExplanation]


class Explanation(Record):
    """What a body would become."""

    source: str
    state: str
    reason: str
    events: Sequence[EventExplanation]


def explain(
    what: Annotated[str, typer.Argument(metavar="BODY_FILE|EVENT_ID", help="A hook's body, or what is in the store.")],
    source: Annotated[str | None, typer.Option(help="As which source's hook; default: the only one.")] = None,
    json: options.Json = False,
    reveal: options.Reveal = False,
) -> None:
    """Explain what becomes of a hook, route by route, and show what would be sent. Nothing is sent."""
    found = config()
    path = Path(what)
    if path.is_file():
        receipt = from_body(path.read_bytes(), source_of(found, source))
        explanation = explain_receipt(receipt, found, None)
    else:
        receipt_id, _, index = what.partition(".")
        explanation = explain_receipt(_stored(receipt_id), found, index or None)
    if json:
        print_json(explanation, reveal=reveal)
    else:
        print_lines(format_explanation(explanation), reveal=reveal)


def from_body(body: bytes, source: str) -> Receipt:
    """Make a receipt of a body as if it had just arrived."""
    id = uuid_utils.uuid7()
    return Receipt(id=str(id), source=source, received_at=id.timestamp, body=body)


def _stored(id: str) -> Receipt:
    receipt = with_reader(lambda reader: reader.raw_receipt(id))
    if receipt is None:
        raise RelayError(f"{id} is neither a file nor an event or receipt in the store: give a path or a full id")
    return receipt


def explain_receipt(receipt: Receipt, config: Config, index: str | None) -> Explanation:
    """Explain a receipt, or its event of that index. Pure."""
    sinks = make_sinks(config)
    routed = plan_receipt(receipt, config, sinks)
    source = config.sources.get(receipt.source)
    try:
        _, events = read(receipt)
    except Malformed:
        events = ()  # the plan says why
    told = [
        EventExplanation(
            event=event.name,
            entity=event.entity,
            entity_id=event.entity_id,
            state=listed.state,
            reason=listed.reason,
            routes=[_verdict(c, sinks) for c in evaluate_routes(event, source, config, sinks)] if source else [],
        )
        for event, listed in zip(events, routed.events, strict=True)
        if index in (None, str(event.index))
    ]
    if index is not None and not told:
        raise RelayError(f"receipt {receipt.id} has no event {index}: it carries {len(events)}, counted from 0")
    return Explanation(source=receipt.source, state=routed.state, reason=routed.reason, events=told)


def _verdict(considered: RouteEvaluation, sinks: dict[str, Sink]) -> RouteExplanation:
    return RouteExplanation(
        route=considered.route.name,
        matched=considered.failure is None,
        because=considered.failure.message if considered.failure else "",
        deliveries=[
            Rendered(
                sink=made.sink,
                id=made.id,
                state=made.state,
                reason=made.reason,
                request=sinks[made.sink].describe(made.content) if made.content else None,
            )
            for made in considered.deliveries
        ],
    )


def format_explanation(explanation: Explanation) -> Iterator[str]:
    """Tell an explanation in lines."""
    yield f"source {explanation.source}: {explanation.state}{_because(explanation.reason)}"
    for event in explanation.events:
        yield ""
        yield f"{event.event} {event.entity} {event.entity_id}: {event.state}{_because(event.reason)}"
        for verdict in event.routes:
            if not verdict.matched:
                yield f"  ✗ {verdict.route}: {verdict.because}"
                continue
            yield f"  ✓ {verdict.route}"
            for made in verdict.deliveries:
                yield from _made(made)


def _made(made: Rendered) -> Iterator[str]:
    yield f"      → {made.sink}: {made.state}{_because(made.reason)}"
    if made.request is not None:
        for line in lines_of(made.request):
            yield f"      {line}"


def _because(reason: str) -> str:
    return f", {reason}" if reason else ""
