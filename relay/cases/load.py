"""Load files of cases, each with its configuration: all of them right, or refused with every mistake in them."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from relay.cases.case import Case, encode_body, first_event, make_case
from relay.cases.schema import CaseFile, CaseSettings, ExpectedDelivery
from relay.config.config import Config, Source
from relay.config.findings import Findings
from relay.config.include import OWN_KEYS
from relay.config.load import load_file
from relay.config.report import Report
from relay.config.schema import KEY_TEMPLATES, SinkTypes
from relay.config.suggestions import did_you_mean
from relay.config.text_files import read_text
from relay.config.validation import validate
from relay.config.yaml import parse
from relay.errors import ConfigError, YamlPath
from relay.events import EVENT_ENTITIES, view_named
from relay.facts.kinds import ANSWER, DELIVERED, FACT_VIEWS, FACTS, OWN_SOURCE

CASES_FOLDER: Final = "cases"


def case_files(config_path: str) -> list[Path]:
    """List the files of cases that belong to a configuration file."""
    return sorted((Path(config_path).parent / CASES_FOLDER).glob("*.yaml"))


@dataclass
class CaseLoader:
    """Loads files of cases. What several of them are held against is loaded once.

    `in_force`: the configuration of `config_path` whatever variables a file gives; None: it is loaded with these.
    """

    config_path: str
    environ: Mapping[str, str]
    sink_types: SinkTypes
    in_force: Config | None = None
    _configs: dict[tuple[str, frozenset[tuple[str, str]]], Config] = field(default_factory=dict)

    def load(self, files: Iterable[Path]) -> list[Case]:
        """Load the cases of files, in order. Raises ConfigError with every mistake of all files."""
        cases: list[Case] = []
        errors: dict[str, None] = {}  # each once: several files may have the same broken configuration
        for file in files:
            try:
                cases += self._load_file(file)
            except ConfigError as error:
                errors |= dict.fromkeys(str(error).splitlines())
        if errors:
            raise ConfigError("\n".join(errors))
        return cases

    def _load_file(self, file: Path) -> list[Case]:
        findings = Findings(str(file))
        document = parse(read_text(str(file)), findings)
        value = {} if document.value is None else document.value
        if isinstance(value, dict):
            value = {key: item for key, item in value.items() if not key.startswith(OWN_KEYS)}
        report = Report(document, findings, {})
        settings = validate(CaseFile, value, (), report)
        findings.raise_errors()
        assert settings is not None  # otherwise an error was reported
        path = os.path.normpath(file.parent / settings.config) if settings.config else self.config_path
        config = self._config(path, settings.variables)
        checker = _Checker(report, config)
        for at, name in report.repeated({("cases", n, "name"): one.name for n, one in enumerate(settings.cases)}):
            report.error(at, f"name: another case has it, at {name}: give each its own")
        found = [checker.check(one, ("cases", at), file.parent) for at, one in enumerate(settings.cases)]
        findings.raise_errors()
        return [
            make_case(one, body, source, config, path, str(file), document.position(("cases", at)))
            for at, (one, hook) in enumerate(zip(settings.cases, found, strict=True))
            for source, body in hook
        ]

    def _config(self, path: str, variables: Mapping[str, str]) -> Config:
        if self.in_force is not None and os.path.normpath(path) == os.path.normpath(self.config_path):
            return self.in_force
        key = path, frozenset(variables.items())
        if key not in self._configs:
            self._configs[key] = load_file(path, environ={**self.environ, **variables}, sink_types=self.sink_types)
        return self._configs[key]


@dataclass(frozen=True)
class _Checker:
    """Checks that what a case names is there."""

    report: Report
    config: Config

    def check(self, case: CaseSettings, path: YamlPath, folder: Path) -> list[tuple[Source, bytes]]:
        """Return the source and the body of a case; nothing where one of them is wrong. What is wrong is reported."""
        for at, expected in enumerate(case.expect):
            self._check_expected(expected, (*path, "expect", at))
        if case.event:
            self._check_event(case, path)
        source, body = self._source(case, path), self._body(case, path, folder)
        return [] if source is None or body is None else [(source, body)]

    def _source(self, case: CaseSettings, path: YamlPath) -> Source | None:
        sources = self.config.sources
        if case.event in FACTS and case.source in ("", *sources):
            return self.config.find_source(OWN_SOURCE)
        if not case.source and len(sources) == 1:
            return next(iter(sources.values()))
        if not case.source:
            self.report.key_error(path, f"source is missing: the file has several, name one of {', '.join(sources)}")
        elif case.source not in sources:
            message = f"unknown source {case.source}, {did_you_mean(case.source, sources)}"
            self.report.error((*path, "source"), message)
        return sources.get(case.source)

    def _body(self, case: CaseSettings, path: YamlPath, folder: Path) -> bytes | None:
        if not case.body_file:
            return encode_body(case.body)
        file = folder / case.body_file
        try:
            return file.read_bytes()
        except OSError as error:
            self.report.error((*path, "body_file"), f"{file}: {error.strerror}: name a file beside this one")
            return None

    def _check_event(self, case: CaseSettings, path: YamlPath) -> None:
        if case.event not in EVENT_ENTITIES:
            known = did_you_mean(case.event, EVENT_ENTITIES)
            self.report.error((*path, "event"), f"unknown event {case.event}, {known}")
            return
        view = view_named(case.event)
        if not case.entities and view != "source":
            self.report.key_error((*path, "event"), f"{case.event} has no fields here: write {view}: {{id: 7}}")
        own = {*FACT_VIEWS.get(view, (view,))}
        if case.event == DELIVERED:
            own |= {ANSWER, *self._check_delivered(case, path)}
        for given in case.entities:
            if given not in own:
                self.report.key_error((*path, given), f"{case.event} has no {given}: write its fields as {view}: {{…}}")

    def _check_delivered(self, case: CaseSettings, path: YamlPath) -> set[str]:
        """Return the views of the event that a chain begins with; a case must say which delivery has arrived."""
        route = (case.delivery or {}).get("route", "")
        event = (case.delivery or {}).get("event") or first_event(route, self.config)
        if event not in EVENT_ENTITIES or event in FACTS:
            message = f"{case.event} is about a delivery of a route that others follow: write delivery: {{route: …}}"
            self.report.key_error((*path, "delivery") if case.delivery else (*path, "event"), message)
            return set()
        return {view_named(event)}

    def _check_expected(self, expected: ExpectedDelivery, path: YamlPath) -> None:
        routes = {route.name: route for route in self.config.routes}
        route = routes.get(expected.route)
        if route is None:
            message = f"unknown route {expected.route}, {did_you_mean(expected.route, routes)}"
            self.report.error((*path, "route"), message)
            return
        for key in KEY_TEMPLATES:
            if getattr(expected, key) and getattr(route, key) is None:
                self.report.error((*path, key), f"route {route.name} has no {key}")
        if not expected.to or expected.to in route.sinks:
            return
        if expected.to in self.config.sinks:
            message = f"route {route.name} does not deliver to {expected.to}: it delivers to {', '.join(route.sinks)}"
        else:
            message = f"unknown sink {expected.to}, {did_you_mean(expected.to, self.config.sinks)}"
        self.report.error((*path, "to"), message)
