"""Load a configuration file: read, checked and compiled once, or refused with every mistake in it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from types import MappingProxyType

from relay.config.account_names import AccountNames
from relay.config.address_checks import check_addresses, hide_from_environment
from relay.config.api import make_account_api
from relay.config.api_users import build_api_users
from relay.config.config import Config, Source
from relay.config.findings import Findings
from relay.config.include import read_files
from relay.config.line_ends import line_break_in_secret
from relay.config.names_files import read_names
from relay.config.report import Report
from relay.config.route_compiler import compile_routes
from relay.config.schema import SinkTypes, SourceSettings
from relay.config.sections import Sections, read_sections
from relay.config.text_files import read_text
from relay.config.variables import Substitution, substitute_variables
from relay.config.warnings import (
    key_of,
    warn_about_missing_secret_key,
    warn_about_sinks,
    warn_about_unused,
    warn_about_weak_secrets,
)
from relay.config.yaml import Document
from relay.facts.settings import FactSettings
from relay.model import Account


def load_file(path: str, *, environ: Mapping[str, str], sink_types: SinkTypes) -> Config:
    """Load a file, and those that it includes, as `load` does. Raises ConfigError also where one cannot be read."""
    return load(read_main_file(path), file=path, environ=environ, sink_types=sink_types, names=read_names(path))


def load_sources(path: str, *, environ: Mapping[str, str]) -> Mapping[str, Source]:
    """Load the sources of a file alone: its routes may need the account's names before anybody could fetch them.

    Raises ConfigError as `load_file` does, about the sources.
    """
    findings = Findings(path)
    document = read_files(read_main_file(path), path, findings).document
    whole = document.value if isinstance(document.value, dict) else {}
    document = replace(document, value={"sources": whole.get("sources")})
    sections, _, _ = _read_document(document, environ, {}, findings)
    findings.raise_errors()
    return _sources(sections)


def load(
    text: str,
    *,
    file: str,
    environ: Mapping[str, str],
    sink_types: SinkTypes,
    names: Mapping[str, AccountNames] = MappingProxyType({}),
) -> Config:
    """Load a configuration from its text; `file` is its name in messages, and what it includes is looked for beside it.

    `names` has the names of each source.

    Raises ConfigError with every finding, one a line, as `file:line:column: what, and what would be right`.
    """
    findings = Findings(file)
    files = read_files(text, file, findings)
    sections, substitution, report = _read_document(files.document, environ, sink_types, findings)
    routes, uses = compile_routes(sections, sink_types, names, report)
    api_users = build_api_users(sections, report)
    findings.raise_errors()
    warn_about_unused(sections, report)
    warn_about_sinks(sections, report)
    warn_about_weak_secrets(sections, substitution, report)
    warn_about_missing_secret_key(sections, environ, report)
    return Config(
        version=_version(files.texts.values(), names),
        sources=_sources(sections),
        sinks=sections.sinks,
        routes=routes,
        tables={name: table.root for name, table in sections.tables.items()},
        ingress=sections.ingress,
        retention=sections.retention,
        worker=sections.worker,
        subscribers=sections.subscribers,
        api_users=api_users,
        findings=findings.sorted_warnings(),
        facts=FactSettings(language=sections.facts.language, pages=sections.facts.pages),
        names=names,
        uses=uses,
    )


def _read_document(
    document: Document, environ: Mapping[str, str], sink_types: SinkTypes, findings: Findings
) -> tuple[Sections, Substitution, Report]:
    substitution = substitute_variables(document, environ, findings)
    report = Report(document, findings, substitution.from_environment, substitution.unset)
    sections = read_sections(substitution.value, report, sink_types)
    check_addresses(document, report)
    hide_from_environment(sections.sinks, substitution.hidden)
    for path, secret in sections.secrets():
        if path in substitution.unset:
            continue
        findings.add_secrets([secret.get_secret_value()])
        if problem := line_break_in_secret(secret.get_secret_value()):
            report.error(path, f"{key_of(path)} {problem}")
    return sections, substitution, report


def read_main_file(path: str) -> str:
    """Return the text of the configuration file. Raises ConfigError, with what to do where there is none."""
    return read_text(path, "`relay init` writes one, RELAY_CONFIG names one that is elsewhere")


def _version(texts: Iterable[str], names: Mapping[str, AccountNames]) -> str:
    names_text = "".join(f"{source} {names[source].model_dump_json()}" for source in sorted(names))
    return blake2b(("\0".join(texts) + names_text).encode(), digest_size=6).hexdigest()


def _sources(sections: Sections) -> dict[str, Source]:
    return {name: _source(name, settings) for name, settings in sections.sources.items()}


def _source(name: str, settings: SourceSettings) -> Source:
    account = Account(id=settings.account.id, subdomain=settings.account.subdomain)
    api = None if settings.api is None else make_account_api(name, settings.api, settings.account.subdomain)
    return Source(name, settings.token, account, settings.ignore_users, settings.timezone, api, settings.share)
