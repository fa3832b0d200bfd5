"""Where a configuration needs something of an account: a pipeline, a status, a user, a custom field, a value of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from relay.config.findings import Position
from relay.config.report import Report
from relay.errors import YamlPath
from relay.model import Record
from relay.rendering import FieldRead

UseKind: TypeAlias = Literal["pipeline", "status", "user", "field", "value", "table"]
UseRole: TypeAlias = Literal["only", "one of", "exception", "content", "case"]
"""What becomes of a route without it: it cannot match, matches less, leaves nothing out, or has no content."""

_VIEWS: Final[Mapping[str, str]] = {"lead": "lead", "contact": "contact", "contacts": "contact", "company": "company"}
"""The views that have custom fields, and whose fields they are."""


class AccountUse(Record):
    """A place that needs something of an account.

    `written`: the name or id there; of a table the field whose value is looked up. `pipelines`: the ids of those in
    which a status is meant; none: all.
    """

    kind: UseKind
    source: str
    written: str
    by: str  # route invoices
    place: str  # file:line:column
    role: UseRole
    entity: str = ""
    field: str = ""  # of a value: the custom field
    table: str = ""
    pipelines: frozenset[str] = frozenset()


@dataclass
class FoundUses:
    """Collects what routes use of accounts, each with its place in the file."""

    report: Report
    found: dict[AccountUse, None] = field(default_factory=dict)

    def add(
        self, kind: UseKind, written: str, path: YamlPath, route: str, sources: Iterable[str], *,
        role: UseRole | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """Add what stands at a path."""
        document = self.report.document
        position = document.key_position(path) if kind == "field" and role is None else document.position(path)
        place = format_place(position, self.report.findings.file)
        for source in sources:
            use = AccountUse(
                kind=kind, source=source, written=written, by=f"route {route}", place=place,
                role=role or _role(path), **more,
            )  # fmt: skip
            self.found[use] = None

    def add_custom(self, tree: object, view: str, path: YamlPath, route: str, sources: Iterable[str]) -> None:
        """Add the custom fields of a condition, and the values that it compares them with."""
        entity = _VIEWS.get(view)
        if entity is None or not isinstance(tree, Mapping):
            return
        names = tuple(sources)
        for key, condition in tree.items():
            self.add("field", str(key), (*path, key), route, names, entity=entity)
            for place, value in _compared(condition, (*path, key)):
                self.add("value", value, place, route, names, entity=entity, field=str(key))

    def add_read(self, read: FieldRead, path: YamlPath, route: str, sources: Iterable[str]) -> None:
        """Add what a template reads."""
        entity = _VIEWS.get(read.view)
        if entity is None:
            return
        names = tuple(sources)
        if read.custom:
            role: UseRole = "one of" if read.optional else "content"
            self.add("field", read.field, path, route, names, role=role, entity=entity)
        if read.table and not read.optional:
            self.add(
                "table", read.field, path, route, names, role="content", entity=entity, table=read.table,
                field=read.field if read.custom else "",
            )  # fmt: skip


def format_place(position: Position, main_file: str) -> str:
    """Return a place as compilers and editors write it."""
    return f"{position.file or main_file}:{position.line}:{position.column}"


def _role(path: YamlPath) -> UseRole:
    """Return what becomes of a route without what stands at a path of its condition."""
    if "not" in path or "ne" in path:
        return "exception"
    return "one of" if "any" in path or isinstance(path[-1], int) else "only"


def _compared(condition: object, path: YamlPath) -> Iterable[tuple[YamlPath, str]]:
    """Yield each value that a condition compares a field with for equality."""
    if isinstance(condition, Mapping):
        for operator in ("eq", "ne", "in"):
            if operator in condition:
                yield from _compared(condition[operator], (*path, operator))
    elif isinstance(condition, list):
        yield from (((*path, at), str(one)) for at, one in enumerate(condition) if isinstance(one, str | int))
    elif isinstance(condition, str | int) and not isinstance(condition, bool):
        yield path, str(condition)
