"""A configuration file becomes a `Config`: read, checked, compiled, once. Or every mistake in it is told."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path as FilePath
from types import MappingProxyType

from pydantic import SecretStr

from relay.config.account_names import AccountNames, read_names
from relay.config.api import make_account_api
from relay.config.api_users import build_api_users
from relay.config.config import Config, Source
from relay.config.environment import SECRET_KEY
from relay.config.findings import Findings, YamlPath
from relay.config.reading import Reading, secrets
from relay.config.route_compiler import compile_routes
from relay.config.schema import SinkTypes, SourceSettings
from relay.config.sections import Sections, read_sections
from relay.config.unused import warn_about_unused
from relay.config.variables import SubstitutedDocument, substitute_variables
from relay.config.yaml import parse
from relay.errors import ConfigError
from relay.model import Account

_SHORT_TOKEN = 8


def load_file(path: str, *, environ: Mapping[str, str], sink_types: SinkTypes) -> Config:
    """Load a file as `load` does. Raises ConfigError also where it cannot be read."""
    return load(_read(path), file=path, environ=environ, sink_types=sink_types, names=read_names(path))


def load_sources(path: str, *, environ: Mapping[str, str]) -> Mapping[str, Source]:
    """Load a file's sources alone: routes may need the account's names before anybody could fetch them.

    Raises ConfigError as `load_file` does, of what is wrong with the sources.
    """
    findings = Findings(path)
    document = parse(_read(path), findings)
    whole = document.value if isinstance(document.value, dict) else {}
    document = replace(document, value={"sources": whole.get("sources")})
    filled = substitute_variables(document, environ, findings)
    sections = read_sections(filled.value, Reading(document, findings, filled.given), {})
    findings.hide(secret.get_secret_value() for _, secret in _secrets(sections))
    findings.raise_errors()
    return {name: _source(name, keys) for name, keys in sections.sources.items()}


def load(
    text: str,
    *,
    file: str,
    environ: Mapping[str, str],
    sink_types: SinkTypes,
    names: Mapping[str, AccountNames] = MappingProxyType({}),
) -> Config:
    """Make a Config of YAML; `file` is only its name in messages, `names` are what accounts call their ids.

    Raises ConfigError with every finding, one a line, as `file:line:column: what, and what would be right`.
    """
    findings = Findings(file)
    document = parse(text, findings)
    filled = substitute_variables(document, environ, findings)
    reading = Reading(document, findings, filled.given)
    sections = read_sections(filled.value, reading, sink_types)
    findings.hide(secret.get_secret_value() for _, secret in _secrets(sections))
    routes = compile_routes(sections, reading, sink_types, names)
    users = build_api_users(sections, reading)
    findings.raise_errors()
    warn_about_unused(sections, reading)
    _warn_of_weak_secrets(sections, filled, reading)
    _warn_of_open_tokens(sections, environ, reading)
    return Config(
        version=_version(text, names),
        sources={name: _source(name, keys) for name, keys in sections.sources.items()},
        sinks=sections.sinks,
        routes=routes,
        tables={name: table.root for name, table in sections.tables.items()},
        ingress=sections.ingress,
        retention=sections.retention,
        worker=sections.worker,
        subscribers=sections.subscribers,
        api_users=users,
        findings=findings.told_warnings(),
    )


def _read(path: str) -> str:
    try:
        return FilePath(path).read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: set RELAY_CONFIG to the configuration file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from error


def _version(text: str, names: Mapping[str, AccountNames]) -> str:
    told = "".join(f"{source} {names[source].model_dump_json()}" for source in sorted(names))
    return blake2b((text + told).encode(), digest_size=6).hexdigest()


def _source(name: str, keys: SourceSettings) -> Source:
    account = Account(id=keys.account.id, subdomain=keys.account.subdomain)
    api = None if keys.api is None else make_account_api(name, keys.api, keys.account.subdomain)
    return Source(name, keys.token, account, keys.ignore_users, keys.timezone, api)


def _secrets(sections: Sections) -> Iterator[tuple[YamlPath, SecretStr]]:
    yield from secrets(dict(sections.sources), ("sources",))
    yield from secrets(dict(sections.sinks), ("sinks",))
    yield from secrets(dict(sections.api_users), ("api_users",))


def _warn_of_weak_secrets(sections: Sections, filled: SubstitutedDocument, reading: Reading) -> None:
    for path, secret in _secrets(sections):
        if path in filled.defaulted:
            reading.warn(path, f"{path[-1]} is a default that everybody can read: set {filled.defaulted[path]}")
        elif path[0] in ("sources", "api_users") and len(secret.get_secret_value()) < _SHORT_TOKEN:
            reading.warn(path, f"{path[-1]} is easy to guess: use at least {_SHORT_TOKEN} random characters")


def _warn_of_open_tokens(sections: Sections, environ: Mapping[str, str], reading: Reading) -> None:
    for name, keys in sections.sources.items():
        if keys.api is not None and keys.api.oauth is not None and not environ.get(SECRET_KEY):
            reading.warn(
                ("sources", name, "api", "oauth"),
                f"oauth needs {SECRET_KEY}: the tokens that amoCRM gives are kept in the store, encrypted with it",
            )
