"""What an account calls its ids: amoCRM's hooks carry ids, people write names."""

from collections.abc import Iterable, Set
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from relay.config.section import Section

_MAX_LISTED = 12
NOBODY = "0"  # the user id of what nobody is responsible for


def _number_to_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Name: TypeAlias = Annotated[str, BeforeValidator(_number_to_text)]


class Pipeline(Section):
    """A pipeline and its statuses, by id."""

    name: Name
    statuses: dict[str, Name] = Field({})


class CustomField(Section):
    """A custom field."""

    name: Name
    code: Name = ""
    type: Name = ""


class AccountNames(Section):
    """The names of an account's pipelines, statuses, users and custom fields, by id."""

    pipelines: dict[str, Pipeline] = Field({})
    users: dict[str, Name] = Field({})
    fields: dict[str, dict[str, CustomField]] = Field({})  # of lead, contact, company

    def index(self, kind: str, pipelines: Set[str]) -> "NameIndex":
        """Index the names of a `status`, `pipeline` or `responsible`: statuses of these pipelines; none: of all."""
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
    """The ids and names of one kind. A name may have several ids; the statuses 142 and 143 are in every pipeline."""

    def __init__(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Index entries of (id, name, name of the pipeline)."""
        self.by_id: dict[str, str] = {}
        self.by_name: dict[str, set[str]] = {}
        self._pipelines: dict[str, str] = {}
        for id, name, pipeline in entries:
            self.by_id.setdefault(id, name)
            if name:
                self.by_name.setdefault(name, set()).add(id)
            if pipeline:
                self._pipelines[id] = pipeline

    def ids_of(self, name: str) -> Set[str]:
        """Return the ids of a name as it is written, or where there is none, of that name in any case."""
        exact = self.by_name.get(name)
        if exact is not None:
            return exact
        folded = name.strip().casefold()
        return {id for own, ids in self.by_name.items() if own.strip().casefold() == folded for id in ids}

    def list_known(self) -> str:
        """Return the ids with their names, as part of a sentence. A near number is another one: none is suggested."""
        known = [f"{id} {name}" for id, name in sorted(self.by_id.items()) if id != NOBODY]
        more = f" and {len(known) - _MAX_LISTED} more" if len(known) > _MAX_LISTED else ""
        return f"known: {', '.join(known[:_MAX_LISTED])}{more}" if known else "there is none"

    def describe(self, id: str) -> str:
        """Return an id with the name of its pipeline, where it has one."""
        return f"{id} ({self._pipelines[id]})" if id in self._pipelines else id


def merge_names(names: Iterable[AccountNames]) -> AccountNames:
    """Return the names of several accounts as one. Ids are amoCRM's own, so no two accounts share any."""
    accounts = list(names)
    kinds = {kind for account in accounts for kind in account.fields}
    return AccountNames(
        pipelines={id: pipeline for account in accounts for id, pipeline in account.pipelines.items()},
        users={id: name for account in accounts for id, name in account.users.items()},
        fields={
            kind: {id: field for account in accounts for id, field in account.fields.get(kind, {}).items()}
            for kind in kinds
        },
    )
