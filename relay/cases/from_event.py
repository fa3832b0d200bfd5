"""Make a case of a stored event: what today's routes make of it, with stand-ins in place of people. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import yaml
from msgspec.structs import replace

from relay.amocrm.event_names import EVENTS
from relay.amocrm.events import encode_event
from relay.amocrm.people import FETCHABLE
from relay.amocrm.views import main_view
from relay.cases.case import RECEIPT_ID, Case, make_case
from relay.cases.records import view_data
from relay.cases.run import explain_case
from relay.cases.schema import CaseSettings
from relay.cases.stand_ins import Leaf, Place, StandIns, leaves_of, replace_leaves, without_people
from relay.config.config import Config, Source
from relay.config.findings import Position
from relay.config.schema import KEY_TEMPLATES
from relay.errors import Malformed, RelayError
from relay.events import decode_events
from relay.facts.kinds import OWN_SOURCE
from relay.model import Account, Event, Receipt, ReceiptState, Record, Value
from relay.operations.explanation import NOT_MADE, EventExplanation, ExplainedDelivery, explain_receipt

_OF_PEOPLE: Final = frozenset({"contact", "company", "customer"})
_SHOWN_OTHERWISE: Final = frozenset({"headers", "proxy"})  # of a request: they follow from the sink alone
_SAID: Final = frozenset(
    {"reason", "cause", "found", "means", "advice", "text"}
)  # of a fact: what others may have said
_FETCHED: Final[Mapping[str, Mapping[str, Any]]] = {
    "contact": {"id": 1, "name": "Name1 Name2", "email": "person1@example.com", "phone": "+79160000001"},
    "company": {"id": 2, "name": "Name3"},
    "responsible": {"id": 3, "name": "Name4", "email": "person2@example.com"},
}
"""What stands in place of an account's answer, which is not stored."""


class EventCase(Record):
    """A case of an event in the words of a file of cases, and what its reader should know."""

    settings: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


def cases_of_receipt(receipt: Receipt, config: Config, index: str | None) -> list[EventCase]:
    """Return a case of each event of a receipt, or of that one. Raises RelayError where it has none."""
    source = config.find_source(receipt.source)
    if source is None:
        raise RelayError(f"source {receipt.source!r} is not in the configuration: add it, and its routes")
    try:
        events = decode_events(receipt, max_size=config.ingress.max_body)[1]
    except Malformed as error:
        raise RelayError(f"receipt {receipt.id} has no event to make a case of: {error}") from None
    wanted = [event for event in events if index in (None, str(event.index))]
    if not wanted:
        raise RelayError(f"receipt {receipt.id} has no event {index}: it has {len(events)}, counted from 0")
    make = _case_of_fact if receipt.source == OWN_SOURCE else _case_of_event
    return [make(event, source, config) for event in wanted]


def _case_of_fact(event: Event, source: Source, config: Config) -> EventCase:
    stand_ins = StandIns()
    views: dict[str, Any] = {
        name: {key: _replace_in_reason(key, value, stand_ins) for key, value in fields.items()}
        for name, fields in event.data.items()
        if isinstance(fields, dict)
    }
    of_source = views.pop("source", {}).get("name", "")
    hook = {"name": f"{event.name} {event.entity_id}".strip(), "now": _format_now(event), "event": event.name}
    if of_source in config.sources:
        hook["source"] = of_source
    before, remarks = _case_of_original(event, config, stand_ins)
    if before:
        views["answer"].pop("json", None)  # it follows from the text
        views["delivery"].pop("event")  # and this from the route
    return _explained_case({**hook, **before, **views}, source, config, stand_ins, remarks)


def _case_of_original(event: Event, config: Config, stand_ins: StandIns) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the entity with which the chain of a fact began, and remarks; nothing where there is none."""
    first = event
    while first.original is not None:
        first = first.original
    if first is event:
        return {}, ()
    data, remarks = _replace_people(first, config, stand_ins)
    return {main_view(first.name): dict(data)}, remarks


def _replace_in_reason(key: str, value: Value, stand_ins: StandIns) -> Value:
    return stand_ins.replace_people(value) if isinstance(value, str) and key in _SAID else value


def _case_of_event(event: Event, source: Source, config: Config) -> EventCase:
    stand_ins = StandIns()
    data, remarks = _replace_people(event, config, stand_ins)
    hook = _hook(replace(event, data=data), source)
    if len(config.sources) > 1:
        hook = {"source": source.name, **hook}
    hook = {"name": f"{event.name} {event.entity} {event.entity_id}".strip(), "now": _format_now(event), **hook}
    if fetched := _fetched(event, config):
        hook["fetched"] = fetched
        remarks = (*remarks, "fetched is made up: what the account answers is not stored")
    return _explained_case(hook, source, config, stand_ins, remarks)


def _explained_case(
    hook: Mapping[str, Any], source: Source, config: Config, stand_ins: StandIns, remarks: tuple[str, ...]
) -> EventCase:
    case = _run(hook, source, config)
    explanation = explain_case(case)
    if explanation.state != ReceiptState.ROUTED:
        return EventCase(settings={**hook, "state": str(explanation.state), "expect": []}, remarks=remarks)
    people = stand_ins.people | {str(value) for record in _FETCHED.values() for value in record.values()}
    return EventCase(settings={**hook, "expect": list(_expected(explanation.events, people))}, remarks=remarks)


def _replace_people(event: Event, config: Config, stand_ins: StandIns) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Return the event's data with stand-ins. A free text stays where the routes would do something else without it."""
    leaves = list(leaves_of(dict(event.data), of_person=event.entity in _OF_PEOPLE))
    for leaf in leaves:
        if leaf.kind == "name":
            stand_ins.learn(leaf.text)
    sure = {leaf.place: _replace_leaf(leaf, stand_ins) for leaf in leaves if leaf.kind != "technical"}
    free = {leaf.place: stand_ins.replace_text(leaf.text) for leaf in leaves if _is_whole_text(leaf, sure)}
    before = _outcome(event, config)

    def data_with(replaced: Mapping[Place, str]) -> dict[str, Value]:
        data = replace_leaves(dict(event.data), replaced)
        assert isinstance(data, dict)
        return data

    def is_same(replaced: Mapping[Place, str]) -> bool:
        return _outcome(replace(event, data=data_with(replaced)), config) == before

    if is_same(chosen := {**sure, **free}):
        return data_with(chosen), ()
    chosen = dict(sure)
    for place, text in free.items():
        if is_same({**chosen, place: text}):
            chosen[place] = text
    kept = [".".join(map(str, place)) for place in free if chosen[place] == sure[place]]
    remarks = [f"kept as it was, because a route depends on it: {', '.join(kept)}"] if kept else []
    if not is_same(chosen):
        remarks.append("with the real names, addresses and numbers the routes do something else")
    return data_with(chosen), tuple(remarks)


def _replace_leaf(leaf: Leaf, stand_ins: StandIns) -> str:
    return stand_ins.replace_number(leaf.text) if leaf.kind == "phone" else stand_ins.replace_people(leaf.text)


def _is_whole_text(leaf: Leaf, sure: Mapping[Place, str]) -> bool:
    """Return whether a free text is replaced as a whole: an e-mail address has its stand-in already."""
    is_address = re.fullmatch(r"person\d+@example\.com", sure.get(leaf.place, ""))
    return leaf.kind == "free" and bool(leaf.text.strip()) and not is_address


def _outcome(event: Event, config: Config) -> list[tuple[str, bool, list[str]]]:
    """Return what the routes do with an event, without the values in it."""
    receipt = Receipt(id=RECEIPT_ID, source=event.source, received_at=event.received_at, body=encode_event(event))
    return [
        (route.route, route.matched, [delivery.state for delivery in route.deliveries])
        for explained in explain_receipt(receipt, config, None).events
        for route in explained.routes
    ]


def _hook(event: Event, source: Source) -> dict[str, Any]:
    """Return the keys of a case that make this event again: by its name, or where that says less, by its body."""
    view = main_view(event.name)
    if event.name in EVENTS and view_data(view, event.data) == event.data:
        account = _account(event.account, source)
        return {"event": event.name, **({"account": account} if account else {}), view: dict(event.data)}
    return {"body": encode_event(event).decode()}


def _account(account: Account, source: Source) -> dict[str, str]:
    if (account.id, account.subdomain) == (source.account.id, source.account.subdomain):
        return {}
    return {key: value for key in ("subdomain", "id") if (value := getattr(account, key))}


def _format_now(event: Event) -> str:
    return datetime.fromtimestamp(event.received_at / 1000, UTC).isoformat(timespec="milliseconds")


def _fetched(event: Event, config: Config) -> dict[str, Any] | None:
    """Return an answer of the account for what the routes of an event look up."""
    wanted = {what for route in config.routes_for(event.source, frozenset({event.name})) for what in route.fetch}
    names = {"contact" if name == "contacts" else name for what in wanted for name in FETCHABLE[what]}
    return {name: dict(_FETCHED[name]) for name in sorted(names)} or None


def _run(hook: Mapping[str, Any], source: Source, config: Config) -> Case:
    settings = CaseSettings.model_validate({**hook, "expect": []})
    body = settings.body.encode() if isinstance(settings.body, str) else b""
    return make_case(settings, body, source, config, "", "", Position(1, 1))


def _expected(events: Iterable[EventExplanation], people: frozenset[str]) -> Iterable[dict[str, Any]]:
    for event in events:
        for route in event.routes:
            for delivery in route.deliveries:
                if delivery.state != NOT_MADE:
                    yield {"route": route.route, "to": delivery.sink, **_expected_delivery(delivery, people)}


def _expected_delivery(delivery: ExplainedDelivery, people: frozenset[str]) -> dict[str, Any]:
    expected: dict[str, Any] = {}
    if delivery.state != "pending":
        expected["state"] = delivery.state
    for key in KEY_TEMPLATES:
        rendered = getattr(delivery, f"{key}_key")
        if rendered and without_people([rendered], people):
            expected[key] = rendered
    if isinstance(delivery.request, Mapping):
        request = {key: value for key, value in delivery.request.items() if key not in _SHOWN_OTHERWISE}
        expected["content"] = without_people(request, people)
    return expected


class _Dumper(yaml.SafeDumper):
    """Writes texts in quotes, unless they are words: what YAML reads as something else is a text all the same."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_word = re.fullmatch(r"[A-Za-zА-Яа-яЁё_][\w /-]*[^\W]", text) and yaml.safe_load(text) == text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_word else '"')


_Dumper.add_representer(str, _represent_text)


def format_event_cases(cases: Iterable[EventCase]) -> str:
    """Return the text of a file with these cases."""
    written = list(cases)
    remarks = dict.fromkeys(remark for case in written for remark in case.remarks)
    head = ["# Made of a stored event by `relay events show … --as-case`, with stand-ins for people: read it first."]
    head += [f"# {remark}" for remark in remarks]
    settings = {"cases": [dict(case.settings) for case in written]}
    body = yaml.dump(settings, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)
    return "\n".join([*head, body])
