"""The names of an account, written by `relay names` beside the configuration: ids are what amoCRM's hooks carry."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict

from relay.config.findings import Findings
from relay.config.reading import Reading
from relay.config.yaml import parse
from relay.errors import ConfigError

FOLDER = "names"


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Name: TypeAlias = Annotated[str, BeforeValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pipeline(_Part):
    """A pipeline and its statuses, by id."""

    name: Name
    statuses: dict[str, Name] = {}


class Field(_Part):
    """A custom field."""

    name: Name
    code: Name = ""
    type: Name = ""


class AccountNames(_Part):
    """What the ids of an account are called."""

    pipelines: dict[str, Pipeline] = {}
    users: dict[str, Name] = {}
    fields: dict[str, dict[str, Field]] = {}  # of lead, contact, company

    def statuses(self) -> Iterator[tuple[str, str, str]]:
        """Give id, name and pipeline's id of every status. 142 and 143 are in every pipeline."""
        for pipeline_id, pipeline in self.pipelines.items():
            for id, name in pipeline.statuses.items():
                yield id, name, pipeline_id


def names_folder(config_path: str) -> Path:
    """Give the folder of the names that go with a configuration file."""
    return Path(config_path).parent / FOLDER


def names_files(config_path: str) -> list[Path]:
    """List the files of names that are there, each called after its source."""
    return sorted(names_folder(config_path).glob("*.yaml"))


def read_names(config_path: str) -> Mapping[str, AccountNames]:
    """Read the names of each source that has a file. Raises ConfigError."""
    return {path.stem: _read(path) for path in names_files(config_path)}


def _read(path: Path) -> AccountNames:
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}): run `relay names {path.stem}` again") from error
    return parse_names(text, str(path))


def parse_names(text: str, file: str) -> AccountNames:
    """Read one file of names. Raises ConfigError with its findings."""
    findings = Findings(file)
    document = parse(text, findings)
    value: Any = document.value
    names = Reading(document, findings, {}).validate(AccountNames, {} if value is None else value, ())
    findings.raise_errors()
    assert names is not None  # else there would have been an error
    return names
