"""What applications ask for: addresses and events, parsed from a request's body and checked."""

import re
from collections.abc import Collection, Mapping, Sequence

from relay.amocrm.event_names import SUBSCRIBABLE
from relay.config.scalars import TrustedHost
from relay.config.suggestions import did_you_mean
from relay.model import Json, Record
from relay.sinks.ssrf_guard import url_refusal
from relay.web.subscriptions.errors import (
    FIELD_MISSING,
    INVALID_FORMAT,
    NOT_SUPPORTED_CHOICE,
    FieldError,
    invalid_field,
)
from relay.web.subscriptions.fields import get_text, get_texts, require_list, require_mapping
from relay.web.subscriptions.url_syntax import url_syntax_error

MAX_ITEMS = 100
MAX_EVENTS = 100  # three times as many as there are
_MAX_EVENT = 100  # characters of an unknown event that an error repeats
_VALID_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f]{0,200}")
_KNOWN_EVENTS = frozenset(SUBSCRIBABLE)


class SubscriptionRequest(Record):
    """An address and its events; empty where they were not given."""

    url: str
    events: Sequence[str]
    name: str = ""

    def url_errors(self, trusted: Collection[TrustedHost], path: str = "url") -> list[FieldError]:
        """List what is wrong with the address as it is written. `path` is its field's name in the request.

        What its host's name resolves to is checked at every delivery.
        """
        error = url_syntax_error(self.url) or url_refusal(self.url, trusted)
        return [FieldError(code=INVALID_FORMAT, path=path, detail=error)] if error else []

    def event_errors(self, path: str = "events") -> list[FieldError]:
        """List the events that do not exist."""
        return [
            FieldError(code=NOT_SUPPORTED_CHOICE, path=f"{path}.{n}", detail=_unknown_event(event[:_MAX_EVENT]))
            for n, event in enumerate(self.events)
            if event not in _KNOWN_EVENTS
        ]


def parse_subscribe(body: Json, *path: str) -> list[SubscriptionRequest]:
    """Return the items of v1 and v2 in the list at `path`, each with url and events. Raises ApiError."""
    found = _parse_items(body, path)
    for at, item in found.items():
        for key, value in (("url", item.url), ("events", item.events)):
            if not value:
                raise invalid_field(f"{at}.{key}", "is missing", FIELD_MISSING)
    return list(found.values())


def parse_unsubscribe(body: Json, *path: str) -> list[SubscriptionRequest]:
    """Return the items of v1 and v2 in the list at `path`, each with url, events or both. Raises ApiError."""
    found = _parse_items(body, path)
    for at, item in found.items():
        if not item.url and not item.events:
            raise invalid_field(at, "url, events or both are needed", FIELD_MISSING)
    return list(found.values())


def get_name(fields: Mapping[str, Json], at: str = "") -> str:
    """Return the name for a subscription; empty where it is missing. Raises ApiError."""
    name = get_text(fields, "name", at)
    if not _VALID_NAME.fullmatch(name):
        raise invalid_field(f"{at}.name".lstrip("."), "must be at most 200 characters of one line")
    return name


def get_events(fields: Mapping[str, Json], key: str, at: str = "", *, indexed: bool = False) -> list[str]:
    """Return the events of a request; empty where they are missing. Raises ApiError."""
    return get_texts(fields, key, at, max=MAX_EVENTS, indexed=indexed)


def _parse_items(body: Json, path: Sequence[str]) -> dict[str, SubscriptionRequest]:
    at = ""
    for key in path:
        body = require_mapping(body, at).get(key)
        at = f"{at}.{key}" if at else key
        if body is None:
            raise invalid_field(at, "is missing", FIELD_MISSING)
    items = require_list(body, at)
    if not 0 < len(items) <= MAX_ITEMS:
        raise invalid_field(at, f"{len(items):,} items, 1 to {MAX_ITEMS} are possible")
    return {f"{at}.{n}": _parse_item(item, f"{at}.{n}") for n, item in enumerate(items)}


def _parse_item(item: Json, at: str) -> SubscriptionRequest:
    fields = require_mapping(item, at)
    if fields.get("url") == "":  # unsubscribing would read it as "all addresses"
        raise invalid_field(f"{at}.url", "is empty")
    url, events = get_text(fields, "url", at), get_events(fields, "events", at, indexed=True)
    return SubscriptionRequest(url=url, events=events, name=get_name(fields, at))


def _unknown_event(event: str) -> str:
    return f"unknown event {event}, {did_you_mean(event, SUBSCRIBABLE)}"
