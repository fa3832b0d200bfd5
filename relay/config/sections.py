"""Read the file section by section: each source, sink and route on its own, so that one mistake hides no other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from relay.config.examples import mapping_message
from relay.config.findings import format_value
from relay.config.known_answers import known_type
from relay.config.report import Report
from relay.config.schema import (
    NAME_PATTERN,
    ApiUserSettings,
    ConfigFile,
    FactsSection,
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
from relay.config.suggestions import did_you_mean
from relay.config.validation import Model, find_secrets, validate
from relay.config.yaml import Plain
from relay.errors import YamlPath
from relay.model import SUBSCRIBER
from relay.secret import SecretStr
from relay.spelling import foreign_letter

_NAME_RULE = "use a-z, 0-9, - and _, at most 63 characters"

PlainMapping: TypeAlias = dict[str, Plain]


@dataclass(frozen=True)
class Sections:
    """The sections that are valid, and the names of all: a reference to an invalid sink is not a second mistake."""

    sources: Mapping[str, SourceSettings]
    sinks: Mapping[str, SinkSettings]
    tables: Mapping[str, Table]
    templates: Mapping[str, Plain]
    routes: Mapping[int, RouteSettings]  # by their index in the file
    api_users: Mapping[int, ApiUserSettings]  # by their index in the file
    ingress: IngressSection
    retention: RetentionSection
    worker: WorkerSection
    subscribers: SubscribersSection
    facts: FactsSection
    source_names: frozenset[str]
    types_of_sinks: Mapping[str, str | None]  # of every sink; None where its type is not known

    def secrets(self) -> Iterator[tuple[YamlPath, SecretStr]]:
        """Find every secret of the file, and its path."""
        yield from find_secrets(dict(self.sources), ("sources",))
        yield from find_secrets(dict(self.sinks), ("sinks",))
        yield from find_secrets(dict(self.api_users), ("api_users",))


def read_sections(value: Plain, report: Report, sink_types: SinkTypes) -> Sections:
    """Read the sections of a document. What is wrong is reported and left out."""
    file = _FileReader(value, report)
    sources, sinks, tables = file.named_mapping("sources"), file.named_mapping("sinks"), file.mapping("tables")
    if not sources:
        report.key_error(("sources",), "sources is missing: name at least one, with its type and token")
    return Sections(
        sources=file.models_by_name("sources", sources, SourceSettings),
        sinks=_sinks(sinks, report, sink_types),
        tables=file.models_by_name("tables", tables, Table),
        templates=file.mapping("templates"),
        routes=file.models_by_index("routes", RouteSettings, "each route begins with - name:"),
        api_users=file.models_by_index("api_users", ApiUserSettings, "each user begins with - login:"),
        ingress=file.model("ingress", IngressSection),
        retention=file.model("retention", RetentionSection),
        worker=file.model("worker", WorkerSection),
        subscribers=file.model("subscribers", SubscribersSection),
        facts=file.model("facts", FactsSection),
        source_names=frozenset(sources),
        types_of_sinks={name: _type_of(sink, sink_types) for name, sink in sinks.items()},
    )


class _FileReader:
    """Reads the sections of the file. One that is missing, or has nothing in it, is empty."""

    def __init__(self, value: Plain, report: Report) -> None:
        self._report = report
        self._value: PlainMapping = value if isinstance(value, dict) else {}
        if value is not None and not isinstance(value, dict):
            report.error((), f"the file must be a mapping with the keys {', '.join(ConfigFile.model_fields)}")
        for key in self._value.keys() - ConfigFile.model_fields.keys():
            report.unknown_key((key,), ConfigFile.model_fields)

    def mapping(self, section: str) -> PlainMapping:
        value = self._value.get(section)
        if value is None or isinstance(value, dict):
            return value or {}
        self._report.error((section,), f"{section}: {mapping_message((section,))}")
        return {}

    def named_mapping(self, section: str) -> PlainMapping:
        found = self.mapping(section)
        for name in found:
            if not NAME_PATTERN.fullmatch(name):
                self._report.key_error(
                    (section, name),
                    f"{format_value(name)} cannot be a name: {_foreign(name)}{_NAME_RULE}",
                )
        return found

    def models_by_name(self, section: str, values: PlainMapping, model: type[Model]) -> dict[str, Model]:
        models = {name: validate(model, value, (section, name), self._report) for name, value in values.items()}
        return {name: valid for name, valid in models.items() if valid is not None}

    def model(self, section: str, model: type[Model]) -> Model:
        value = self.mapping(section)
        if not value:
            return model.model_construct()  # the defaults: to check these too would build the model's schema
        return validate(model, value, (section,), self._report) or model.model_construct()

    def models_by_index(self, section: str, model: type[Model], hint: str) -> dict[int, Model]:
        values = self._value.get(section)
        if values is None:
            return {}
        if not isinstance(values, list):
            self._report.error((section,), f"{section}: must be a list, {hint}")
            return {}
        models = {at: validate(model, value, (section, at), self._report) for at, value in enumerate(values)}
        return {at: valid for at, valid in models.items() if valid is not None}


def _foreign(name: str) -> str:
    found = foreign_letter(name)
    return f"{found}, " if found else ""


def _sinks(sinks: PlainMapping, report: Report, sink_types: SinkTypes) -> dict[str, SinkSettings]:
    valid: dict[str, SinkSettings] = {}
    for name, value in sinks.items():
        path: YamlPath = ("sinks", name)
        if name.startswith(SUBSCRIBER):
            report.key_error(
                path, f"{format_value(name)} is the name of a subscriber's sink: begin it with anything but sub-"
            )
        sink_type = _type_of(value, sink_types)
        if sink_type is None:
            _report_wrong_type(value, path, report, sink_types)
        elif settings := validate(sink_types[sink_type].Settings, value, path, report):
            valid[name] = settings
    return valid


def _type_of(sink: Plain, sink_types: SinkTypes) -> str | None:
    found = sink.get("type") if isinstance(sink, dict) else None
    return found if isinstance(found, str) and found in sink_types else None


def _report_wrong_type(sink: Plain, path: YamlPath, report: Report, sink_types: SinkTypes) -> None:
    if not isinstance(sink, dict):
        report.error(path, f"{path[-1]}: {mapping_message(path)}")
    elif "type" not in sink:
        report.key_error(path, f"type is missing, known: {', '.join(sorted(sink_types))}")
    else:
        name = str(sink["type"])
        known = known_type(name, sink_types)
        suggestion = f"write {known}" if known else did_you_mean(name, sink_types)
        report.error((*path, "type"), f"unknown type {format_value(name)}, {suggestion}")
