"""Compare how an account is set up with what the configuration needs of it: what is gone, renamed, changed. Pure.

`relay names` wrote down what things were called. What nobody needs may change as it likes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec

from relay.accounts.setup import AccountField, AccountSetup
from relay.config.account_names import AccountNames, CustomField
from relay.config.account_uses import AccountUse, UseRole
from relay.model import Record

Thing: TypeAlias = Literal["pipeline", "status", "user", "field", "value", "entry"]
Change: TypeAlias = Literal["gone", "inactive", "renamed", "type", "missing"]
Tables: TypeAlias = Mapping[str, Mapping[str, str]]
Misses: TypeAlias = Mapping[str, Mapping[str, int]]
"""Table -> what lately had no entry in it -> in how many events."""

_Field = TypeVar("_Field", CustomField, AccountField)
_NONE: Final = AccountNames()
_LISTED: Final = 10  # users


class UsedAt(Record):
    """A place that needs a thing."""

    by: str  # route invoices, case "a won deal"
    place: str  # file:line:column
    role: UseRole


class Drift(Record):
    """A thing that is not as the configuration needs it. `key` names it for as long as it differs."""

    key: str
    thing: Thing
    change: Change
    id: str  # in the account; of a field that it never had, its name
    name: str  # as the file of names or the configuration has it
    now: str = ""  # as the account has it
    owner: str = ""  # of a field the entity, of a value the field, of an entry the table
    several: bool = False  # `id` lists several, with their names
    events: int = 0  # that lately had no entry
    breaks: bool = False  # what needs it finds nothing there: hooks have neither its id nor its name
    used: Sequence[UsedAt] = ()

    @property
    def roles(self) -> set[UseRole]:
        """Return what becomes of those that need it."""
        return {one.role for one in self.used}


def find_drifts(
    setup: AccountSetup, names: AccountNames | None, uses: Iterable[AccountUse], tables: Tables, misses: Misses
) -> list[Drift]:
    """Return in what an account differs from what is used of it, the worst kinds first.

    `names`: as the file of names has them; None: there is none, so that nothing is known to be renamed.
    """
    comparison = _Comparison(setup, setup.names(), names or _NONE, tables, misses)
    for use in uses:
        comparison.add(use)
    return sorted(comparison.found.values(), key=lambda one: (_ORDER[one.change], one.key))


_ORDER: Final[Mapping[Change, int]] = {"gone": 0, "renamed": 1, "type": 2, "missing": 3, "inactive": 4}


@dataclass
class _Comparison:
    setup: AccountSetup
    now: AccountNames
    before: AccountNames
    tables: Tables
    misses: Misses
    found: dict[str, Drift] = field(default_factory=dict)

    def add(self, use: AccountUse) -> None:
        """Add what is wrong with what a place needs."""
        for drift in _FINDERS[use.kind](self, use):
            if use.role == "case" and not self._was_known(drift):
                continue  # cases may be written with ids that were never there
            seen = self.found.get(drift.key)
            used = [*(seen.used if seen else ()), UsedAt(by=use.by, place=use.place, role=use.role)]
            self.found[drift.key] = msgspec.structs.replace(
                drift, used=used, breaks=drift.breaks or (seen is not None and seen.breaks)
            )

    def _was_known(self, drift: Drift) -> bool:
        if drift.thing == "pipeline":
            return drift.id in self.before.pipelines
        if drift.thing == "status":
            return any(drift.id in pipeline.statuses for pipeline in self.before.pipelines.values())
        if drift.thing == "user":
            return drift.id in self.before.users
        return drift.id in self.before.fields.get(drift.owner, {})

    def ids(self, kind: str, use: AccountUse) -> list[str]:
        """Return the ids that a place means: it has one itself, or a name that the file of names knows."""
        if use.written.isdigit():
            return [use.written]
        return sorted(self.before.index(kind, use.pipelines).ids_of(use.written))

    def pipelines(self, use: AccountUse) -> Iterator[Drift]:
        for id in self.ids("pipeline", use):
            name = self.before.pipelines[id].name if id in self.before.pipelines else ""
            if id not in self.setup.pipelines:
                yield _gone("pipeline", id, name)
            else:
                yield from _renamed("pipeline", id, name, self.setup.pipelines[id].name)

    def statuses(self, use: AccountUse) -> Iterator[Drift]:
        if use.pipelines and use.pipelines.isdisjoint(self.setup.pipelines):
            return  # its pipelines are gone, which is told of them
        for id in self.ids("status", use):
            if id not in self.now.index("status", use.pipelines).by_id:
                yield _gone("status", id, self.before.index("status", use.pipelines).by_id.get(id, ""))
                continue
            for pipeline in sorted(self.before.pipelines.keys() & self.setup.pipelines.keys()):
                before, now = self.before.pipelines[pipeline].statuses, self.setup.pipelines[pipeline].statuses
                if (not use.pipelines or pipeline in use.pipelines) and id in before and id in now:
                    yield from _renamed(
                        "status", id, before[id], now[id], self.setup.pipelines[pipeline].name, pipeline
                    )

    def users(self, use: AccountUse) -> Iterator[Drift]:
        for id in self.ids("responsible", use):
            name, user = self.before.users.get(id, ""), self.setup.users.get(id)
            if user is None:
                yield _gone("user", id, name)
            elif not user.active:
                yield Drift(key=f"user/{id}", thing="user", change="inactive", id=id, name=user.name)
            else:
                yield from _renamed("user", id, name, user.name)

    def fields(self, use: AccountUse) -> Iterator[Drift]:
        known, fields = self.before.fields.get(use.entity, {}), self.setup.fields.get(use.entity, {})
        id, before = _find(use.written, known)
        found, now = _find(use.written, fields)
        if now is None and id not in fields:
            yield _gone("field", id or use.written, before.name if before else use.written, use.entity)
        elif now is None or (before is not None and found == id == use.written):
            yield from (
                msgspec.structs.replace(one, breaks=now is None)
                for one in _renamed("field", id, before.name if before else "", fields[id].name, use.entity)
            )
        if now is not None and before is not None and found == id and before.type and before.type != now.type:
            yield Drift(
                key=f"field/{use.entity}/{id}/type", thing="field", change="type", id=id, name=before.type,
                now=now.type, owner=f"{use.entity} {now.name}",
            )  # fmt: skip

    def values(self, use: AccountUse) -> Iterator[Drift]:
        id, now = _find(use.field, self.setup.fields.get(use.entity, {}))
        if isinstance(now, AccountField) and now.values and use.written not in now.values:
            yield Drift(
                key=f"value/{use.entity}/{id}/{use.written}", thing="value", change="gone", id=use.written,
                name=use.written, owner=f"{use.entity} {now.name}", breaks=True,
            )  # fmt: skip

    def entries(self, use: AccountUse) -> Iterator[Drift]:
        """Yield what has no entry in a table: what events lately had, what is new since the names, and other users."""
        table, misses = self.tables.get(use.table, {}), self.misses.get(use.table, {})
        candidates = {**dict(self._new_keys(use)), **{key: self._name_of(use, key) for key in misses}}
        yield from self._other_users(use, table.keys() | candidates.keys())
        for key, name in candidates.items():
            if key not in table:
                yield Drift(
                    key=f"entry/{use.table}/{key}", thing="entry", change="missing", id=key, name=name, owner=use.table,
                    events=misses.get(key, 0),
                )  # fmt: skip

    def _other_users(self, use: AccountUse, known: Set[str]) -> Iterator[Drift]:
        """Yield in one all active users without an entry whom no event lately named: many may never be responsible."""
        if use.field or not use.written.endswith("user_id"):
            return
        others = {id: one.name for id, one in self.setup.users.items() if one.active and id not in known}
        if others:
            listed = [f"{id} {name}".rstrip() for id, name in sorted(others.items())]
            more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
            yield Drift(
                key=f"entry/{use.table}", thing="entry", change="missing", id=", ".join(listed[:_LISTED]) + more,
                name="", owner=use.table, several=True,
            )  # fmt: skip

    def _new_keys(self, use: AccountUse) -> Iterator[tuple[str, str]]:
        if use.field or not self.before.pipelines:  # a custom field's values are told when an event has one
            return
        if use.written.endswith("user_id"):
            yield from ((id, one.name) for id, one in self.setup.users.items()
                        if one.active and id not in self.before.users)  # fmt: skip
        elif use.written in ("status_id", "pipeline_id"):
            kind = use.written.removesuffix("_id")
            before, now = (names.index(kind, frozenset()).by_id for names in (self.before, self.now))
            yield from ((id, name) for id, name in now.items() if id not in before)

    def _name_of(self, use: AccountUse, key: str) -> str:
        if use.written.endswith("user_id"):
            return self.setup.users[key].name if key in self.setup.users else ""
        kind = use.written.removesuffix("_id")
        known = kind in ("status", "pipeline") and not use.field
        return self.now.index(kind, frozenset()).by_id.get(key, "") if known else ""


_FINDERS: Final = {
    "pipeline": _Comparison.pipelines,
    "status": _Comparison.statuses,
    "user": _Comparison.users,
    "field": _Comparison.fields,
    "value": _Comparison.values,
    "table": _Comparison.entries,
}


def _gone(thing: Thing, id: str, name: str, owner: str = "") -> Drift:
    return Drift(key=_key(thing, owner, id), thing=thing, change="gone", id=id, name=name, owner=owner, breaks=True)


def _renamed(thing: Thing, id: str, name: str, now: str, owner: str = "", part: str = "") -> Iterator[Drift]:
    """Yield that a thing has another name than the one that is known. `part`: in its key, where that is not `owner`."""
    if name and name != now:
        key = _key(thing, part or owner, id)
        yield Drift(key=key, thing=thing, change="renamed", id=id, name=name, now=now, owner=owner)


def _key(thing: str, owner: str, id: str) -> str:
    return f"{thing}/{owner}/{id}" if owner else f"{thing}/{id}"


def _find(written: str, fields: Mapping[str, _Field]) -> tuple[str, _Field | None]:
    """Return the id of a field and the field, found as in a hook: by its name, its code or its id."""
    for id, own in fields.items():
        if own.name == written:
            return id, own
    for id, own in fields.items():
        if own.code and own.code.upper() == written.upper():
            return id, own
    return (written, fields[written]) if written in fields else ("", None)
