"""What applications want: addresses and events, out of nested values, and what is wrong with them."""

import re
from collections.abc import Collection, Mapping, Sequence

from relay.amocrm.events import SUBSCRIBABLE
from relay.amocrm.form import is_index
from relay.config.scalars import TrustedHost
from relay.config.suggestions import did_you_mean
from relay.model import Json, Record
from relay.sinks.ssrf_guard import url_refusal
from relay.web.subscriptions.errors import FORM, MISSING, UNKNOWN, Fault, wrong_shape
from relay.web.subscriptions.url import fault_in

MAX_ITEMS = 100
MAX_EVENTS = 100  # three times as many as there are
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f]{0,200}")
_KNOWN = frozenset(SUBSCRIBABLE)


class SubscriptionRequest(Record):
    """One address and its events; empty where they were not said."""

    url: str
    events: Sequence[str]
    name: str = ""

    def url_faults(self, trusted: Collection[TrustedHost], path: str = "url") -> list[Fault]:
        """List what is wrong with the address as it is written, under the name that it has in the request.

        Where its name leads is checked at every delivery.
        """
        fault = fault_in(self.url) or url_refusal(self.url, trusted)
        return [Fault(code=FORM, path=path, detail=fault)] if fault else []

    def event_faults(self, path: str = "events") -> list[Fault]:
        """List the events that there are not."""
        return [
            Fault(
                code=UNKNOWN,
                path=f"{path}.{at}",
                detail=f"unknown event {event[:100]}, {did_you_mean(event[:100], SUBSCRIBABLE)}",
            )
            for at, event in enumerate(self.events)
            if event not in _KNOWN
        ]


def to_subscribe(body: Json, *path: str) -> list[SubscriptionRequest]:
    """Return the items of v1 and v2, each with url and events, in the list at `path`. Raises RefusedError."""
    found = _items(body, path)
    for at, item in found.items():
        for key, value in (("url", item.url), ("events", item.events)):
            if not value:
                raise wrong_shape(f"{at}.{key}", "is missing", MISSING)
    return list(found.values())


def to_unsubscribe(body: Json, *path: str) -> list[SubscriptionRequest]:
    """Return the items of v1 and v2, each with url, events or both, in the list at `path`. Raises RefusedError."""
    found = _items(body, path)
    for at, item in found.items():
        if not item.url and not item.events:
            raise wrong_shape(at, "url, events or both are needed", MISSING)
    return list(found.values())


def _items(body: Json, path: Sequence[str]) -> dict[str, SubscriptionRequest]:
    at = ""
    for key in path:
        body = mapping(body, at).get(key)
        at = f"{at}.{key}" if at else key
        if body is None:
            raise wrong_shape(at, "is missing", MISSING)
    items = _listed(body, at)
    if not 0 < len(items) <= MAX_ITEMS:
        raise wrong_shape(at, f"{len(items):,} items, 1 to {MAX_ITEMS} are possible")
    return {f"{at}.{n}": _item(item, f"{at}.{n}") for n, item in enumerate(items)}


def _item(item: Json, at: str) -> SubscriptionRequest:
    fields = mapping(item, at)
    if fields.get("url") == "":  # taken for "all of them" it would remove too much
        raise wrong_shape(f"{at}.url", "is empty")
    return SubscriptionRequest(
        url=text(fields, "url", at), events=texts(fields, "events", at, indexed=True), name=name_in(fields, at)
    )


def text(fields: Mapping[str, Json], key: str, at: str = "") -> str:
    """Return a text; empty where it is not there. Raises RefusedError."""
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong_shape(f"{at}.{key}".lstrip("."), f"must be a text, not {_kind(value)}")
    return value


def name_in(fields: Mapping[str, Json], at: str = "") -> str:
    """Return the name that a subscription shall have; empty where it is not there. Raises RefusedError."""
    name = text(fields, "name", at)
    if not _NAME.fullmatch(name):
        raise wrong_shape(f"{at}.name".lstrip("."), "must be at most 200 characters of one line")
    return name


def number(fields: Mapping[str, Json], key: str, most: int) -> int | None:
    """Return a whole number from 0 on, or None where it is not there. Raises RefusedError."""
    value = fields.get(key)
    if value is None or (type(value) is int and 0 <= value <= most):
        return value
    raise wrong_shape(key, f"must be a whole number from 0 to {most}")


def texts(fields: Mapping[str, Json], key: str, at: str = "", *, indexed: bool = False) -> list[str]:
    """Return a list of texts, each once; empty where it is not there. Raises RefusedError.

    `indexed` takes a mapping with indexes for keys too: a form with gaps in its numbering is one.
    """
    value = fields.get(key)
    if value is None:
        return []
    path = f"{at}.{key}".lstrip(".")
    values = _listed(value, path) if indexed else value
    if not isinstance(values, list):
        raise wrong_shape(path, f"must be a list, not {_kind(values)}")
    if not 0 < len(values) <= MAX_EVENTS:
        raise wrong_shape(path, f"{len(values):,} events, 1 to {MAX_EVENTS} are possible")
    for n, item in enumerate(values):
        if not isinstance(item, str):
            raise wrong_shape(f"{path}.{n}", f"must be a text, not {_kind(item)}")
    return list(dict.fromkeys(str(item) for item in values))


def mapping(value: Json, at: str) -> Mapping[str, Json]:
    """Return an object as it is. Raises RefusedError where it is none."""
    if isinstance(value, dict):
        return value
    raise wrong_shape(at, f"must be an object, not {_kind(value)}")


def _listed(value: Json, at: str) -> list[Json]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value and all(map(is_index, value)):
        return list(value.values())
    raise wrong_shape(at, f"must be a list, not {_kind(value)}")


def _kind(value: Json) -> str:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        dict: "an object",
        list: "a list",
    }
    return kinds.get(type(value), "null")
