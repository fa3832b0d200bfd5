"""A case as it is run: its hook as a receipt, the configuration that it is held against, and what is expected."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from relay.amocrm.event_names import EVENTS
from relay.amocrm.events import encode_event
from relay.amocrm.people import People
from relay.amocrm.views import main_view
from relay.cases.records import found_people, view_data
from relay.cases.schema import CaseSettings, ExpectedDelivery, FetchedRecords
from relay.config.config import Config, Source
from relay.config.findings import Position
from relay.facts.body import encode_fact
from relay.facts.kinds import ANSWER, DELIVERED, FACT_VIEWS, FACTS, OWN_SOURCE
from relay.model import Account, Event, Receipt, Record

RECEIPT_ID: Final = "00000000-0000-7000-8000-000000000000"
"""The id of every case's receipt: what is sent may have it, and it must be the same at every run."""
NOW: Final = 1_767_225_600_000
"""When a hook arrives whose case does not say it: 2026-01-01, 00:00 UTC."""


class Case(Record):
    """A case of a file, checked against its configuration."""

    file: str
    position: Position
    name: str
    config: Config
    config_path: str
    receipt: Receipt
    expect: Sequence[ExpectedDelivery]
    is_answered: bool = False  # whether it says what the account answers
    people: People | None = None  # None: the account does not have the lead
    used: frozenset[str] = frozenset()
    state: str = ""
    reason: str = ""
    others: bool = False


def make_case(
    settings: CaseSettings, body: bytes, source: Source, config: Config, config_path: str, file: str, place: Position
) -> Case:
    """Return a case of its settings. `body` is its hook, where it does not name an event."""
    now = NOW if settings.now is None else round(datetime.fromisoformat(settings.now).timestamp() * 1000)
    return Case(
        file=file,
        position=place,
        name=settings.name,
        config=config,
        config_path=config_path,
        receipt=_make_receipt(settings, body, source, config, now),
        expect=settings.expect,
        is_answered=settings.fetched is not None,
        people=found_people(settings.fetched) if isinstance(settings.fetched, FetchedRecords) else None,
        used=frozenset(settings.used),
        state=settings.state or "",
        reason=settings.reason,
        others=settings.others,
    )


def _make_receipt(settings: CaseSettings, body: bytes, source: Source, config: Config, now: int) -> Receipt:
    if settings.event == DELIVERED:
        return _receipt_of_delivered(settings, config, now)
    if settings.event:
        body = _encode_hook(settings, source, now)
    return Receipt(id=RECEIPT_ID, source=source.name, received_at=now, body=body)


def _encode_hook(settings: CaseSettings, source: Source, now: int) -> bytes:
    """Return the body of a hook with the one event that the case names."""
    if settings.event in FACTS:
        return encode_fact(settings.event, _views_of_fact(settings), now)
    kind, view = EVENTS[settings.event], main_view(settings.event)
    data = view_data(view, settings.entities.get(view, {}))
    given = settings.account
    event = Event(
        id=f"{RECEIPT_ID}.0",
        receipt_id=RECEIPT_ID,
        index=0,
        source=source.name,
        name=settings.event,
        entity=kind.entity,
        action=kind.action,
        entity_id="",
        account=source.account if given is None else Account(id=given.id, subdomain=given.subdomain),
        data={"note": data} if view == "note" and "note" not in data else data,
        received_at=now,
    )
    return encode_event(event)


def _receipt_of_delivered(settings: CaseSettings, config: Config, now: int) -> Receipt:
    """Return the fact that a delivery arrived, of a hook with the event that the route of that is on."""
    source = config.sources[settings.source or next(iter(config.sources))]
    delivery = settings.delivery or {}
    event = delivery.get("event") or first_event(delivery.get("route", ""), config)
    hook = _encode_hook(settings.model_copy(update={"event": event}), source, now)
    answer = {"status": "", "text": "", "id": "", **(settings.answer or {})}
    views = {**_views_of_fact(settings), ANSWER: answer}
    return Receipt(
        id=RECEIPT_ID,
        source=OWN_SOURCE,
        received_at=now,
        body=encode_fact(DELIVERED, views, now),
        original_id=f"{RECEIPT_ID}.0",
        original=Receipt(id=RECEIPT_ID, source=source.name, received_at=now, body=hook),
    )


def first_event(route: str, config: Config) -> str:
    """Return an event of amoCRM that a chain with a route begins with; "" where there is no such route."""
    routes, seen = {one.name: one for one in config.routes}, set[str]()
    while route in routes and route not in seen:
        seen.add(route)
        events = sorted(routes[route].on & EVENTS.keys())
        if events:
            return events[0]
        route = min(routes[route].follows, default="")
    return ""


def _views_of_fact(settings: CaseSettings) -> Mapping[str, Mapping[str, Any]]:
    """Return the views of a fact: of a delivery's, its sink and its source follow from the delivery."""
    views = {"sink": {}, "source": {}, **settings.entities}
    delivery = views.get("delivery", {})
    views["sink"] = {"name": delivery.get("sink", ""), **views["sink"]}
    views["source"] = {"name": settings.source or delivery.get("source", "")}
    return {name: fields for name, fields in views.items() if name in FACT_VIEWS[FACTS[settings.event].view]}


def encode_body(body: object) -> bytes:
    """Return a body that is written in a case: a text as it is, values as JSON."""
    return body.encode() if isinstance(body, str) else msgspec.json.encode(body)
