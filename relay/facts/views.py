"""What conditions and templates see of a fact."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from relay.facts.kinds import ANSWER, DELIVERED, FACTS
from relay.facts.settings import FactSettings
from relay.facts.texts import describe_fact, title_of_fact
from relay.masking.people import mask_people
from relay.model import Event, Value
from relay.translation.messages import translator

_SAID: Final = frozenset({"found", "means", "advice", "cause", "reason"})


def fact_views(event: Event, settings: FactSettings) -> dict[str, Mapping[str, Value]]:
    """Return the fields of each view of a fact, as conditions see them: what the relay says itself is in English.

    People in what others say are masked, but in an answer to pass on.
    """
    views: dict[str, Mapping[str, Value]] = {
        name: fields if event.name == DELIVERED and name == ANSWER else _masked(fields)
        for name, fields in event.data.items()
        if isinstance(fields, dict)
    }
    link = settings.pages.rstrip("/") + _path(event.name, views)
    fact = views.get("fact", {})
    said = views if settings.language == "en" else in_language(views, settings.language)
    title, detail = title_of_fact(event.name, views, settings.language), describe_fact(event.name, said)
    text = "\n".join(line for line in (title, detail, link) if line)
    views["fact"] = {**fact, "title": title, "text": text, "link": link}
    return views


def in_language(views: Mapping[str, Mapping[str, Value]], language: str) -> dict[str, Mapping[str, Value]]:
    """Return the views with what the relay says itself in a language, as templates see them."""
    say = translator(language).say
    return {
        name: {key: say(value) if key in _SAID and isinstance(value, str) else value for key, value in fields.items()}
        for name, fields in views.items()
    }


def _masked(fields: Mapping[str, Value]) -> dict[str, Value]:
    return {
        key: mask_people(value) if isinstance(value, str) and not _is_id(key) else value
        for key, value in fields.items()
    }


def _is_id(key: str) -> bool:
    """Return whether a field holds an id or a time, whose digits are nobody's number."""
    return key.endswith("id") or key in ("at", "since", "closed_at", "cause")


def _path(name: str, views: Mapping[str, Mapping[str, Value]]) -> str:
    """Return the page that shows what a fact is about."""

    def get(view: str, field: str) -> str:
        return str(views.get(view, {}).get(field, ""))

    kind = FACTS[name]
    if kind.entity == "delivery" and get("fact", "count") == "1":
        return f"/admin/deliveries/{quote(get('delivery', 'id'))}"
    if kind.entity == "delivery":
        return f"/admin/deliveries?{urlencode({'sink': get('delivery', 'sink'), 'state': get('delivery', 'state')})}"
    if kind.entity == "sink":
        return f"/admin/sinks/{quote(get('sink', 'name') or get('problem', 'subject'))}"
    if kind.view == "source":
        return f"/admin/sources/{quote(get('source', 'name'))}"
    return "/admin/system" if name == "store_nearly_full" else "/admin/problems"
