"""Files of account names, which `relay names` writes beside the configuration: one for each source."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from relay.config.account_names import AccountNames
from relay.config.findings import Findings
from relay.config.report import Report
from relay.config.validation import validate
from relay.config.yaml import parse
from relay.errors import ConfigError

NAMES_FOLDER = "names"
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")  # YAML does not read these as they are, JSON does


def names_folder(config_path: str) -> Path:
    """Return the folder of the names that belong to a configuration file."""
    return Path(config_path).parent / NAMES_FOLDER


def names_files(config_path: str) -> list[Path]:
    """List the files of names that exist, each named after its source."""
    return sorted(names_folder(config_path).glob("*.yaml"))


def read_names(config_path: str) -> Mapping[str, AccountNames]:
    """Read the names of each source that has a file. Raises ConfigError."""
    return {path.stem: _read_file(path) for path in names_files(config_path)}


def _read_file(path: Path) -> AccountNames:
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}): run `relay names {path.stem}` again") from error
    return parse_names(text, str(path))


def parse_names(text: str, file: str) -> AccountNames:
    """Parse the text of a file of names. Raises ConfigError with its findings."""
    findings = Findings(file)
    document = parse(text, findings)
    value = {} if document.value is None else document.value
    names = validate(AccountNames, value, (), Report(document, findings, {}))
    findings.raise_errors()
    assert names is not None  # otherwise an error was reported
    return names


def format_names(source: str, names: AccountNames) -> str:
    """Return the text of a file of names, as `parse_names` reads it. The same names give the same text."""
    head = (
        f"# The names of the account {source}, written by `relay names {source}`: run it again when they change.\n"
        "# `status: …`, `pipeline: …` and `responsible: …` in a route's where, and `relay check`, know them.\n"
    )
    return head + "\n".join(_lines(names)) + "\n"


def _lines(names: AccountNames) -> Iterator[str]:
    yield "pipelines:" + ("" if names.pipelines else " {}")
    for id, pipeline in sorted(names.pipelines.items()):
        yield f"  {_quote(id)}:"
        yield f"    name: {_quote(pipeline.name)}"
        yield from _mapping_lines("statuses", pipeline.statuses, "    ")
    yield from _mapping_lines("users", names.users, "")
    yield "fields:" + ("" if names.fields else " {}")
    for entity, fields in names.fields.items():
        values = {id: field.model_dump(exclude_defaults=True) for id, field in fields.items()}
        yield from _mapping_lines(entity, values, "  ")


def _mapping_lines(name: str, values: Mapping[str, object], indent: str) -> Iterator[str]:
    yield f"{indent}{name}:" + ("" if values else " {}")
    for id, value in sorted(values.items()):
        yield f"{indent}  {_quote(id)}: {_quote(value)}"


def _quote(value: object) -> str:
    """Return a value as JSON, which is YAML too."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
