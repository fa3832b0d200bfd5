"""The names of an account, written by `relay names` beside the configuration: ids are what amoCRM's hooks carry."""

from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict

from relay.config.findings import Findings
from relay.config.reading import Reading
from relay.config.yaml import parse
from relay.errors import ConfigError

FOLDER = "names"
NOBODY = "0"  # the user id of what nobody is responsible for


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

    def known(self, kind: str, pipelines: Set[str]) -> "NameIndex":
        """Return the ids of a `status`, `pipeline` or `responsible`; statuses of these pipelines, none: of all."""
        if kind == "pipeline":
            return NameIndex([(id, pipeline.name, "") for id, pipeline in self.pipelines.items()])
        if kind == "responsible":
            return NameIndex([(NOBODY, "", ""), *((id, name, "") for id, name in self.users.items())])
        return NameIndex(
            [
                (id, name, pipeline.name)
                for pipeline_id, pipeline in self.pipelines.items()
                if not pipelines or pipeline_id in pipelines
                for id, name in pipeline.statuses.items()
            ]
        )


class NameIndex:
    """What there is of one kind: ids by name, and where each is. 142 and 143 are in every pipeline."""

    def __init__(self, told: Iterable[tuple[str, str, str]]) -> None:
        self.by_id: dict[str, str] = {}
        self.by_name: dict[str, set[str]] = {}
        self.places: dict[str, str] = {}
        for id, name, place in told:
            self.by_id.setdefault(id, name)
            if name:
                self.by_name.setdefault(name, set()).add(id)
            if place:
                self.places[id] = place

    def ids(self, name: str) -> Set[str]:
        """Return the ids of a name: as it is written, else whatever its case."""
        exact = self.by_name.get(name)
        if exact is not None:
            return exact
        folded = name.strip().casefold()
        return {id for own, ids in self.by_name.items() if own.strip().casefold() == folded for id in ids}


def merge_names(names: Iterable[AccountNames]) -> AccountNames:
    """Return the names of several accounts as if they were one: ids are amoCRM's own, no two accounts share any."""
    every = list(names)
    kinds = {kind for own in every for kind in own.fields}
    return AccountNames(
        pipelines={id: pipeline for own in every for id, pipeline in own.pipelines.items()},
        users={id: name for own in every for id, name in own.users.items()},
        fields={kind: {id: f for own in every for id, f in own.fields.get(kind, {}).items()} for kind in kinds},
    )


def names_folder(config_path: str) -> Path:
    """Return the folder of the names that go with a configuration file."""
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
