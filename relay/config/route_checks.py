"""Check that what a route refers to exists: events, sources, sinks and their content keys, look-ups."""

from collections.abc import Iterable

from relay.config.known_answers import known_event
from relay.config.report import Report
from relay.config.schema import RouteSettings, SinkType, SinkTypes, all_content_keys
from relay.config.sections import Sections
from relay.config.suggestions import did_you_mean
from relay.errors import YamlPath
from relay.events import EVENT_ENTITIES
from relay.facts.kinds import FACTS


def check_references(
    path: YamlPath, route: RouteSettings, sections: Sections, sink_types: SinkTypes, report: Report
) -> None:
    """Report every reference of the route at a path that leads nowhere, and content keys that do not fit its sinks."""
    _check_names((*path, "source"), "source", route.source or (), sections.source_names, report)
    _check_names((*path, "on"), "event", route.on, EVENT_ENTITIES, report)
    _check_facts(path, route, report)
    _check_names((*path, "to"), "sink", route.to, sections.types_of_sinks, report)
    _check_content_keys(path, route, sections, sink_types, report)
    _check_fetch(path, route, sections, report)


def _check_facts(path: YamlPath, route: RouteSettings, report: Report) -> None:
    """Report what makes no sense of the relay's own facts, or of anything else."""
    facts = [event for event in route.on if event in FACTS]
    others = [event for event in route.on if event in EVENT_ENTITIES and event not in FACTS]
    if facts and others:
        message = f"{facts[0]} is a fact of the relay, and {others[0]} an event of amoCRM: write a route for each"
        report.error((*path, "on"), message)
    elif facts and route.source is not None:
        report.key_error((*path, "source"), "the relay's own facts have no source: write it in where, as source: acme")
    elif route.each and not facts:
        report.key_error((*path, "each"), "each is about the relay's own facts: every event of amoCRM is routed alone")


def _check_names(path: YamlPath, kind: str, names: Iterable[str], known: Iterable[str], report: Report) -> None:
    for at, name in enumerate(names):
        if name not in known:
            answer = known_event(name) if kind == "event" else None
            report.error((*path, at), f"unknown {kind} {name}, {answer or did_you_mean(name, known)}")


def _check_content_keys(
    path: YamlPath, route: RouteSettings, sections: Sections, sink_types: SinkTypes, report: Report
) -> None:
    types = {name: sink_type for name in route.to if (sink_type := sections.types_of_sinks.get(name))}
    if len(set(types.values())) > 1:
        listed = ", ".join(f"{name} is {sink_type}" for name, sink_type in types.items())
        report.error((*path, "to"), f"to: sinks of one type only ({listed}): write a route for each")
    elif types:
        type_name = next(iter(types.values()))
        _check_foreign_keys(path, route, type_name, sections, sink_types, report)
        _check_keys_of_type(path, route, type_name, sink_types[type_name], report)


def _check_foreign_keys(
    path: YamlPath, route: RouteSettings, type_name: str, sections: Sections, sink_types: SinkTypes, report: Report
) -> None:
    sink_type = sink_types[type_name]
    of_file = filter(None, sections.types_of_sinks.values())  # before those that are yet to be imported
    others = (*of_file, *sink_types) if sink_type.takes_all_keys else ()
    for key in _keys_of_none((type_name, *others), route.content.keys(), sink_types):
        possible = all_content_keys(sink_types) if others else sink_type.content_keys
        report.unknown_key((*path, key), {*RouteSettings.model_fields, *possible})


def _keys_of_none(types: Iterable[str], keys: Iterable[str], sink_types: SinkTypes) -> set[str]:
    """Return the keys that none of the types has. Types are asked, and so imported, until every key is found."""
    left = set(keys)
    for name in types:
        if not left:
            break
        left -= sink_types[name].content_keys.keys()
    return left


def _check_keys_of_type(
    path: YamlPath, route: RouteSettings, type_name: str, sink_type: SinkType, report: Report
) -> None:
    given = route.content.keys()
    for key, required in sink_type.content_keys.items():
        if required and key not in given:
            report.key_error(path, f"{key} is missing: a sink of type {type_name} needs it")
    for keys in sink_type.exclusive_keys:
        if len(keys & given) > 1:
            report.key_error(path, f"give only one of {' and '.join(sorted(keys & given))}")


def _check_fetch(path: YamlPath, route: RouteSettings, sections: Sections, report: Report) -> None:
    if not route.fetch:
        return
    for event in route.on:
        if event in EVENT_ENTITIES and EVENT_ENTITIES[event] != "lead":
            message = f"fetch looks up the people behind a lead, and {event} is not about a lead"
            report.key_error((*path, "fetch"), message)
    for name, source in sections.sources.items():
        if (route.source is None or name in route.source) and source.api is None:
            message = f"fetch asks the account, and source {name} has no api: write it there"
            report.key_error((*path, "fetch"), message)
