"""The file section by section: each source, sink and route is read on its own, so that one mistake hides no other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from relay.config.findings import YamlPath, did_you_mean, format_value
from relay.config.reading import Reading
from relay.config.schema import (
    NAME_PATTERN,
    ApiUserSettings,
    ConfigFile,
    IngressSection,
    RetentionSection,
    RouteSettings,
    SinkTypes,
    SourceSettings,
    SubscribersSection,
    Table,
    WorkerSection,
)
from relay.config.sink import SinkSettings
from relay.config.yaml import Plain
from relay.model import SUBSCRIBER

Part = TypeVar("Part", bound=BaseModel)
Section = dict[str, Plain]


@dataclass(frozen=True)
class Sections:
    """What could be read, and the names of all that is there: who refers to a broken sink makes no second mistake."""

    sources: Mapping[str, SourceSettings]
    sinks: Mapping[str, SinkSettings]
    tables: Mapping[str, Table]
    templates: Mapping[str, Plain]
    routes: Mapping[int, RouteSettings]  # by their position
    api_users: Mapping[int, ApiUserSettings]  # by their position
    ingress: IngressSection
    retention: RetentionSection
    worker: WorkerSection
    subscribers: SubscribersSection
    source_names: frozenset[str]
    table_names: frozenset[str]
    sink_types: Mapping[str, str | None]  # of every sink; None where its type is not known


def read_sections(value: Plain, reading: Reading, sink_types: SinkTypes) -> Sections:
    """Read a document's values; what is wrong is noted and left out."""
    file = _File(value, reading)
    sources, sinks, tables = file.named("sources"), file.named("sinks"), file.mapping("tables")
    if not sources:
        reading.key_error(("sources",), "sources is missing: name at least one, with its type and token")
    return Sections(
        sources=file.each("sources", sources, SourceSettings),
        sinks=_sinks(sinks, reading, sink_types),
        tables=file.each("tables", tables, Table),
        templates=file.mapping("templates"),
        routes=file.listed("routes", RouteSettings, "each route begins with - name:"),
        api_users=file.listed("api_users", ApiUserSettings, "each user begins with - login:"),
        ingress=file.one("ingress", IngressSection),
        retention=file.one("retention", RetentionSection),
        worker=file.one("worker", WorkerSection),
        subscribers=file.one("subscribers", SubscribersSection),
        source_names=frozenset(sources),
        table_names=frozenset(tables),
        sink_types={name: _type(sink, sink_types) for name, sink in sinks.items()},
    )


class _File:
    """The top of the file. A section that is not there, or has nothing in it, is empty."""

    def __init__(self, value: Plain, reading: Reading) -> None:
        self._reading = reading
        self._value: Section = value if isinstance(value, dict) else {}
        if value is not None and not isinstance(value, dict):
            reading.error((), f"the file must be a mapping with the keys {', '.join(ConfigFile.model_fields)}")
        for key in self._value.keys() - ConfigFile.model_fields.keys():
            reading.unknown_key((key,), ConfigFile.model_fields)

    def mapping(self, section: str) -> Section:
        value = self._value.get(section)
        if value is None or isinstance(value, dict):
            return value or {}
        self._reading.error((section,), f"{section}: must be a mapping (key: value)")
        return {}

    def named(self, section: str) -> Section:
        found = self.mapping(section)
        for name in found:
            if not NAME_PATTERN.fullmatch(name):
                self._reading.key_error(
                    (section, name),
                    f"{format_value(name)} cannot be a name: use a-z, 0-9, - and _, at most 63 characters",
                )
        return found

    def each(self, section: str, values: Section, model: type[Part]) -> dict[str, Part]:
        read = {name: self._reading.validate(model, value, (section, name)) for name, value in values.items()}
        return {name: part for name, part in read.items() if part is not None}

    def one(self, section: str, model: type[Part]) -> Part:
        return self._reading.validate(model, self.mapping(section), (section,)) or model()

    def listed(self, section: str, model: type[Part], hint: str) -> dict[int, Part]:
        values = self._value.get(section)
        if values is None:
            return {}
        if not isinstance(values, list):
            self._reading.error((section,), f"{section}: must be a list, {hint}")
            return {}
        read = {at: self._reading.validate(model, value, (section, at)) for at, value in enumerate(values)}
        return {at: keys for at, keys in read.items() if keys is not None}


def _sinks(sinks: Section, reading: Reading, sink_types: SinkTypes) -> dict[str, SinkSettings]:
    read: dict[str, SinkSettings] = {}
    for name, value in sinks.items():
        path: YamlPath = ("sinks", name)
        if name.startswith(SUBSCRIBER):
            reading.key_error(
                path, f"{format_value(name)} is the name of a subscriber's sink: begin it with anything but sub-"
            )
        sink_type = _type(value, sink_types)
        if sink_type is None:
            _wrong_type(value, path, reading, sink_types)
        elif settings := reading.validate(sink_types[sink_type].Settings, value, path):
            read[name] = settings
    return read


def _type(sink: Plain, sink_types: SinkTypes) -> str | None:
    found = sink.get("type") if isinstance(sink, dict) else None
    return found if isinstance(found, str) and found in sink_types else None


def _wrong_type(sink: Plain, path: YamlPath, reading: Reading, sink_types: SinkTypes) -> None:
    if not isinstance(sink, dict):
        reading.error(path, f"{path[-1]}: must be a mapping (key: value)")
    elif "type" not in sink:
        reading.key_error(path, f"type is missing, known: {', '.join(sorted(sink_types))}")
    else:
        name = str(sink["type"])
        reading.error((*path, "type"), f"unknown type {format_value(name)}, {did_you_mean(name, sink_types)}")
