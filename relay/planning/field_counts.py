"""Count how often the fields that routes read are empty, and what has no entry in the tables that they look up. Pure.

A field of a condition counts among the events for which the rest of that condition holds; one that only the content
reads counts among all that the hook alone makes the route match. What is looked up in the account is not counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Final, TypeGuard

import msgspec

from relay.config.config import Config
from relay.config.content import RouteContent
from relay.errors import Malformed
from relay.events import decode_events, names_of, views_of
from relay.model import Event, Receipt, Record
from relay.planning.receipts import refusal_of
from relay.rendering import FieldRead
from relay.routing import Condition, Route, compile_condition, has_value

_COMMON: Final = ("event", "account")  # views that are never empty
_TREES: Final = ("all", "any", "not")
_ZERO_IS_EMPTY: Final = frozenset({"price"})  # and the ids of users: amoCRM sends 0 where there is none
_IDS: Final = frozenset({"status_id", "pipeline_id"})
_LONGEST_ID: Final = 20
_DIGEST: Final = 6


class WatchedField(Record):
    """A field that a route reads. `key` names it for as long as the route takes the same events.

    `rest`: what must hold of an event besides; None: anything may.
    """

    key: str
    route: str
    field: str
    custom: bool
    on: frozenset[str]
    view: str = ""  # of the content: whose field it is; empty: of the event's own view
    rest: Condition | None = None
    table: str = ""  # in which the content looks it up, and finds nothing without an entry

    @property
    def name(self) -> str:
        """Return the field as a person writes it."""
        return f'custom "{self.field}"' if self.custom else self.field


class FieldCounts(Record):
    """How many events could have each watched field, by its key, and how many had none; what tables lacked."""

    seen: Counter[str]
    empty: Counter[str]
    misses: dict[str, Counter[str]]  # table -> what has no entry in it


def watched_fields(config: Config, source: str) -> list[WatchedField]:
    """Return the fields that the routes of a source read of its events."""
    return [field for route in config.routes_of(source) for field in _of_route(route)]


def count_fields(receipts: Iterable[Receipt], config: Config, watched: Iterable[WatchedField]) -> FieldCounts:
    """Count the watched fields of a source in receipts of it."""
    counts, fields = FieldCounts(seen=Counter(), empty=Counter(), misses={}), list(watched)
    for receipt in receipts:
        for event in _events(receipt, config):
            _count(event, config, fields, counts)
    return counts


def _events(receipt: Receipt, config: Config) -> Iterator[Event]:
    try:
        account, events = decode_events(receipt, max_size=config.ingress.max_body)
    except Malformed:
        return
    yield from (event for event in events if not refusal_of(event, account, config))


def _count(event: Event, config: Config, fields: Iterable[WatchedField], counts: FieldCounts) -> None:
    names, (main, views) = names_of(event), views_of(event, config.facts)
    for field in fields:
        view = views.get(field.view) if field.view else main
        if view is None or field.on.isdisjoint(names) or (field.rest is not None and field.rest.check(main)):
            continue
        value = view.custom.get(field.field) if field.custom else view.get(field.field)
        counts.seen[field.key] += 1
        if _is_empty(field, value):
            counts.empty[field.key] += 1
        elif field.table and _is_id(value) and value not in config.tables[field.table]:
            counts.misses.setdefault(field.table, Counter())[value] += 1


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isdigit() and len(value) <= _LONGEST_ID


def _is_empty(field: WatchedField, value: object) -> bool:
    zero = not field.custom and (field.field in _ZERO_IS_EMPTY or field.field.endswith("user_id"))
    return not has_value(value) or (zero and value == "0")


def _of_route(route: Route) -> Iterator[WatchedField]:
    tree = route.where.tree if route.where is not None else {}
    digest = blake2b(msgspec.json.encode([sorted(route.on), tree]), digest_size=_DIGEST).hexdigest()
    found: set[tuple[str, bool]] = set()
    for field, custom in dict.fromkeys(_condition_fields(tree)):
        found.add((field, custom))
        yield WatchedField(
            key=_key(route, field, custom, digest), route=route.name, field=field, custom=custom, on=route.on,
            rest=_rest(tree, field, custom),
        )  # fmt: skip
    for read in dict.fromkeys(_reads(route)):
        fresh = (read.field, read.custom) not in found
        # Only ids are kept of what a table lacks: any other field may tell of a person.
        looks_up = not (read.optional or read.custom) and (read.field in _IDS or read.field.endswith("user_id"))
        table = read.table if looks_up and route.where_fetched is None else ""
        if fresh or table:
            found.add((read.field, read.custom))
            yield WatchedField(
                key=_key(route, read.field, read.custom, f"{digest} {read.view} {table}"), route=route.name,
                field=read.field, custom=read.custom, on=route.on, view=read.view, rest=route.where, table=table,
            )  # fmt: skip


def _key(route: Route, field: str, custom: bool, digest: str) -> str:
    return msgspec.json.encode([route.name, field, custom, digest]).decode()


def _reads(route: Route) -> Iterator[FieldRead]:
    """Yield what the content reads of the event itself. A view that is looked up is no part of it."""
    content = route.content
    if isinstance(content, RouteContent):
        for template in content.templates.values():
            yield from (read for _, read in template.reads if read.view not in _COMMON)


def _condition_fields(tree: object) -> Iterator[tuple[str, bool]]:
    """Yield the fields of the event that a condition reads, each with whether it is a custom one."""
    if isinstance(tree, list):
        for branch in tree:
            yield from _condition_fields(branch)
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            if key in _TREES:
                yield from _condition_fields(value)
            elif key == "custom" and isinstance(value, Mapping):
                yield from ((str(name), True) for name in value)
            else:
                yield str(key), False


def _rest(tree: object, field: str, custom: bool) -> Condition | None:
    """Return a condition without its entries that read a field; None where none is left."""
    assert isinstance(tree, Mapping)
    left = {}
    for key, value in tree.items():
        if key == "custom" and custom and isinstance(value, Mapping):
            value = {name: one for name, one in value.items() if str(name) != field}
            if not value:
                continue
        elif (field, custom) in _condition_fields({key: value}):
            continue
        left[key] = value
    return compile_condition(left) if left else None
