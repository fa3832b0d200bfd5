"""What people call the fields of events, and how conditions and templates write them. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from relay.amocrm.people import FETCHABLE
from relay.amocrm.view_fields import VIEW_FIELDS

_OF_LEAD: Final = {
    **dict.fromkeys(("budget", "sale", "amount", "sum", "total", "бюджет"), "price"),
    **dict.fromkeys(("status", "stage", "stage_id"), "status_id"),
    **dict.fromkeys(("pipeline", "funnel", "funnel_id"), "pipeline_id"),
}
_OF_PERSON: Final = {
    **dict.fromkeys(("mail", "e_mail", "email_address"), "email"),
    **dict.fromkeys(("tel", "telephone", "mobile", "phone_number"), "phone"),
}
_OF_EVERY: Final = {
    **dict.fromkeys(("responsible", "responsible_user", "manager", "user_id", "assigned"), "responsible_user_id"),
    **dict.fromkeys(("title", "название"), "name"),
    "tag": "tags",
    "created_by": "created_user_id",
    "created_user": "created_user_id",
    "modified_by": "modified_user_id",
}
_CUSTOM: Final = frozenset({"custom_fields", "custom_field", "custom_fields_values", "cf", "fields"})
_EXAMPLE: Final = "Город"
_CYRILLIC: Final = re.compile("[а-яё]", re.IGNORECASE)
_PEOPLE_FIELDS: Final = frozenset({"email", "emails", "phone", "phones"})


def known_condition(field: str, view: str) -> str | None:
    """Return how to write a field in `where` that the view of an event does not have; None: it is not known."""
    owner, dot, own = field.partition(".")
    if dot and owner == view:
        return f"leave out {view}.: {known_name(own, view) or own}"
    if dot and owner == "custom":
        return f'write custom: {{"{own}": …}}'
    if dot and (fetched := _fetched_as(owner)) and view == "lead":
        return f"write {owner}: {{{own}: …}}, and fetch: {fetched}"
    if dot and owner in ("event", "account"):
        return f"a condition looks at the {view} only: events are chosen by on, accounts by source"
    if name := known_name(field, view):
        return f"write {name}"
    if field.lower() in _CUSTOM:
        return f'write custom: {{"{_EXAMPLE}": …}}'
    if _CYRILLIC.search(field):
        return f'a custom field is written custom: {{"{field}": …}}'
    if view == "lead" and field in _PEOPLE_FIELDS:
        return f"a lead's hook has no contact: write contact: {{{field}: …}}, and fetch: contacts"
    return None


def known_name(field: str, view: str) -> str | None:
    """Return the name of a field that is called otherwise elsewhere; None: it is not known for this view."""
    tables = [_OF_EVERY, _OF_LEAD if view == "lead" else {}, _OF_PERSON if view in ("contact", "company") else {}]
    name = next((table[field.lower()] for table in tables if field.lower() in table), None)
    return name if name in VIEW_FIELDS.get(view, ()) else None


def template_answers(view: str, fetched: Iterable[str], *, known_before_fetch: str = "") -> Mapping[str, str]:
    """Return what to write for the variables and fields that people expect in the templates of a view.

    `known_before_fetch`: the key of a template that is rendered before the look-up; empty: it is rendered after it.
    """
    own = dict.fromkeys((f"{view}.{alias}" for alias in _CUSTOM), f"write {view}.custom['{_EXAMPLE}']")
    for alias in {*_OF_EVERY, *_OF_LEAD, *_OF_PERSON} - VIEW_FIELDS.get(view, frozenset()):
        if name := known_name(alias, view):
            own[f"{view}.{alias}"] = f"write {view}.{name}"
    if view == "note":
        own["note.note"] = "write note.text"
    return {**own, **_answers_of_lead(set(fetched), known_before_fetch)} if view == "lead" else own


def _answers_of_lead(fetched: set[str], known_before_fetch: str) -> Mapping[str, str]:
    """Return what to write for the people behind a lead, whom its hook does not carry."""
    answers = {"deal": "write lead"}
    can_fetch = not known_before_fetch
    for what, views in FETCHABLE.items():
        for view in views:
            known_before = f"{known_before_fetch} is known before they are looked up"
            advice = f"write fetch: {what} in the route" if can_fetch else known_before
            if view not in fetched:
                answers[view] = f"a lead's hook has none: {advice}"
            answers[f"lead.{view}"] = f"{advice}, and {view}.name" if can_fetch else advice
    for field in _PEOPLE_FIELDS if can_fetch else ():
        answers[f"lead.{field}"] = f"write contact.{field}, and fetch: contacts in the route"
    return answers


def _fetched_as(view: str) -> str | None:
    return next((what for what, views in FETCHABLE.items() if view in views), None)
