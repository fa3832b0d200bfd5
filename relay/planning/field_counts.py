"""Count how often the fields that routes read are empty, and what has no entry in the tables that they look up. Pure.

A field of a condition counts among the events for which the rest of that condition holds; one that only the content
reads counts among all that the hook alone makes the route match. What is looked up in the account is not counted.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final, TypeAlias, TypeGuard

import msgspec

from relay.config.config import Config
from relay.config.content import RouteContent
from relay.errors import Malformed
from relay.events import decode_events, names_of, views_of
from relay.facts.kinds import FACTS
from relay.model import Event, Receipt, Record
from relay.planning.receipts import refusal_of
from relay.rendering import FieldRead
from relay.routing import Condition, Route, SupportsFields, compile_condition, has_value

_COMMON: Final = ("event", "account")  # views that are never empty
_Field: TypeAlias = tuple[str, bool]
"""A field of an event, and whether it is a custom one."""

MOST_SECONDS: Final = 0.1
_TREES: Final = ("all", "any", "not")
_ZERO_IS_EMPTY: Final = frozenset({"price"})  # and the ids of users: amoCRM sends 0 where there is none
_IDS: Final = frozenset({"status_id", "pipeline_id"})
_LONGEST_ID: Final = 20
_DIGEST: Final = 6


class WatchedField(Record):
    """A field that a route reads. `key` names it for as long as the route takes the same events."""

    key: str
    route: str
    field: str
    custom: bool
    view: str = ""  # of the content: whose field it is; empty: of the event's own view
    table: str = ""  # in which the content looks it up, and finds nothing without an entry


class WatchedRoute(Record):
    """A route with its fields, and its condition in parts: each with the fields that it reads.

    A field counts where no part fails but those that read it.
    """

    on: frozenset[str]
    fields: Sequence[WatchedField]
    parts: Sequence[tuple[Condition, frozenset[_Field]]]


class FieldCounts(Record):
    """How many events could have each watched field, by its key, and how many had none; what tables lacked."""

    seen: Counter[str]
    empty: Counter[str]
    misses: dict[str, Counter[str]]  # table -> what has no entry in it


def watched_routes(config: Config, source: str) -> list[WatchedRoute]:
    """Return what the routes of a source read of its events."""
    of_hooks = [route for route in config.routes_of(source) if route.on.isdisjoint(FACTS)]
    return [watched for route in of_hooks if (watched := _watched(route)).fields]


def count_fields(receipts: Iterable[Receipt], config: Config, routes: Sequence[WatchedRoute]) -> FieldCounts:
    """Count the fields of a source's routes in receipts of it, for MOST_SECONDS of CPU at most."""
    counts, end = FieldCounts(seen=Counter(), empty=Counter(), misses={}), time.thread_time() + MOST_SECONDS
    for receipt in receipts:
        for event in _events(receipt, config):
            _count(event, config, routes, counts)
        if time.thread_time() > end:
            break
    return counts


def _events(receipt: Receipt, config: Config) -> Iterator[Event]:
    try:
        account, events = decode_events(receipt, max_size=config.ingress.max_body)
    except Malformed:
        return
    yield from (event for event in events if not refusal_of(event, account, config))


def _count(event: Event, config: Config, routes: Iterable[WatchedRoute], counts: FieldCounts) -> None:
    names, (main, views) = names_of(event), views_of(event, config.facts)
    for route in routes:
        if route.on.isdisjoint(names) or (reads := _reads_of_failed(route, main)) is None:
            continue
        for field in route.fields:
            if reads and (field.view or (field.field, field.custom) not in reads):
                continue
            view = views.get(field.view) if field.view else main
            if view is not None:
                value = view.custom.get(field.field) if field.custom else view.get(field.field)
                _count_value(field, value, config, counts)


def _reads_of_failed(route: WatchedRoute, view: SupportsFields) -> frozenset[_Field] | None:
    """Return the fields that all failed parts of a condition read: none, where all hold. None: no field counts."""
    reads: frozenset[_Field] = frozenset()
    for part, fields in route.parts:
        if not part.holds(view):
            reads = reads & fields if reads else fields
            if not reads:
                return None
    return reads


def _count_value(field: WatchedField, value: object, config: Config, counts: FieldCounts) -> None:
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


def _watched(route: Route) -> WatchedRoute:
    tree = route.where.tree if route.where is not None else {}
    parts = [(compile_condition(part), frozenset(_condition_fields(part))) for part in _parts(tree)]
    return WatchedRoute(on=route.on, fields=[*_watched_fields(route, tree)], parts=parts)


def _watched_fields(route: Route, tree: object) -> Iterator[WatchedField]:
    digest = blake2b(msgspec.json.encode([sorted(route.on), tree]), digest_size=_DIGEST).hexdigest()
    found = set(_condition_fields(tree))
    for field, custom in dict.fromkeys(_condition_fields(tree)):
        yield WatchedField(key=_key(route, field, custom, digest), route=route.name, field=field, custom=custom)
    for read in dict.fromkeys(_reads(route)):
        # Only ids are kept of what a table lacks: any other field may tell of a person.
        looks_up = not (read.optional or read.custom) and (read.field in _IDS or read.field.endswith("user_id"))
        table = read.table if looks_up and route.where_fetched is None else ""
        if table or (read.field, read.custom) not in found:
            found.add((read.field, read.custom))
            yield WatchedField(
                key=_key(route, read.field, read.custom, f"{digest} {read.view} {table}"), route=route.name,
                field=read.field, custom=read.custom, view=read.view, table=table,
            )  # fmt: skip


def _key(route: Route, field: str, custom: bool, digest: str) -> str:
    return msgspec.json.encode([route.name, field, custom, digest]).decode()


def _reads(route: Route) -> Iterator[FieldRead]:
    """Yield what the content reads of the event itself. A view that is looked up is no part of it."""
    content = route.content
    if isinstance(content, RouteContent):
        for template in content.templates.values():
            yield from (read for _, read in template.reads if read.view not in _COMMON)


def _condition_fields(tree: object) -> Iterator[_Field]:
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


def _parts(tree: object) -> Iterator[Mapping[str, object]]:
    """Yield the entries of a condition, all of which must hold; each custom field alone."""
    assert isinstance(tree, Mapping)
    for key, value in tree.items():
        if key == "custom" and isinstance(value, Mapping):
            yield from ({key: {name: one}} for name, one in value.items())
        else:
            yield {key: value}
