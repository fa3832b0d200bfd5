"""The routes in force, as their file has them, and what they have made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from relay.config.config import Config
from relay.masking import mask_secrets
from relay.model import Record
from relay.routing import Route
from relay.store.fields import Counter
from relay.store.reader import Reader


class RouteLine(Record):
    """A route in force, and how many deliveries it made: in all, skipped, dead at once and shadowed.

    `text`: its part of the file; empty where another file that is included has it.
    """

    name: str
    on: Sequence[str]
    sources: Sequence[str]  # none: all of them
    sinks: Sequence[str]
    fetch: Sequence[str]
    made: int
    skipped: int
    failed: int
    shadowed: int
    shadow: bool  # it is only tried out
    in_order: bool  # `order`: those of one key are sent one after the other
    only_latest: bool  # `latest`: of those of one key that wait only the newest is sent
    follows: Sequence[str]  # the routes on whose deliveries it is
    leads_to: Sequence[str]  # those that follow it
    text: str


async def list_routes(reader: Reader, config: Config, path: Path) -> list[RouteLine]:
    """Read the routes in their order. Raises StoreUnavailable."""
    counters = await reader.counters()
    texts = _read_texts(path)
    return [
        _line(route, counters, config.followers.get(route.name, ()), texts.get(route.name, ""))
        for route in config.routes
    ]


def _line(route: Route, counters: Mapping[tuple[str, ...], int], followers: Sequence[str], text: str) -> RouteLine:
    of_routes = {name: n for name, n in counters.items() if name[0] == Counter.ROUTE}
    made = {name[-1]: n for name, n in of_routes.items() if "|".join(name[1:-1]) == route.name}
    return RouteLine(
        name=route.name,
        on=sorted(route.on),
        sources=sorted(route.sources or ()),
        sinks=route.sinks,
        fetch=sorted(route.fetch),
        made=sum(made.values()),
        skipped=made.get("skipped", 0),
        failed=made.get("dead", 0),
        shadowed=made.get("shadowed", 0),
        shadow=route.shadow,
        in_order=route.order is not None,
        only_latest=route.latest is not None,
        follows=sorted(route.follows),
        leads_to=followers,
        text=text,
    )


def _read_texts(path: Path) -> dict[str, str]:
    """Return the part of each named route of a file; nothing where it cannot be read as it is now."""
    try:
        document: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return {route["name"]: mask_secrets(_dump(route)) for route in document["routes"]}
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError):
        return {}


def _dump(route: dict[str, Any]) -> str:
    return yaml.dump(route, allow_unicode=True, sort_keys=False, width=110)
