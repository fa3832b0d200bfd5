"""`fetch` of a route: what may be looked up, for which events, and what conditions and contents then know."""

from collections.abc import Callable

import pytest

from relay.amocrm.views import View, fetched_view
from relay.config.config import Config

Errors = Callable[..., list[str]]
Load = Callable[..., Config]

HEAD = """\
sources:
  acme: {type: amocrm, token: long-enough, account: {subdomain: acme}, api: {token: long-enough}}
sinks:
  books: {type: post, url: "https://books.example"}
routes:
"""


def route(text: str) -> str:
    return f"{HEAD}  - {{name: one, to: books, {text}}}\n"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("on: add_lead, fetch: contact", "6:49: fetch: 'contact' is unknown, did you mean contacts?"),
        ("on: add_lead, fetch: []", "6:49: fetch: must not be empty"),
        ("on: add_lead, where: {any: [{price: 5}, {contact: {name: x}}]}",
         "6:42: where looks at contact: write fetch: contacts, too"),
        ("on: add_contact, fetch: contacts",
         "6:45: fetch looks up the people behind a lead, and add_contact is not about a lead"),
        ("on: add_lead, fetch: contacts, where: {contact: {emial: {exists: true}}}",
         "6:77: contact has no field emial, did you mean email?"),
        ("on: add_lead, fetch: contacts, where: {contact: {}}",
         "6:67: needs a mapping of the contact's fields: {email: {exists: true}}"),
        ("on: add_lead, fetch: contacts, where: {company: {name: x}}",
         "6:59: where looks at company: write fetch: company, too"),
        ("on: add_lead, fetch: contacts, where: {contact: {name: {changed: true}}}",
         "6:84: can never hold: there are old values of an event's own fields only"),
        ("on: add_lead, fetch: contacts, body: '{{ contact.emial }}'",
         "6:65: unknown field contact.emial; did you mean contact.email?"),
        ("on: add_lead, fetch: contacts, body: '{{ company.name }}'",
         "6:65: unknown variable company; a lead's hook has none: write fetch: company"),
        ("on: add_lead, fetch: contacts, once: '{{ contact.id }}'",
         "6:65: unknown variable contact; a lead's hook has none: once is known before"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported_at_its_position(errors_in: Errors, text: str, finding: str) -> None:
    (found,) = errors_in(route(text))
    assert found.startswith(finding)


def test_every_source_that_the_route_is_for_needs_an_api(errors_in: Errors) -> None:
    other = HEAD.replace("sinks:", "  beta: {type: amocrm, token: long-enough}\nsinks:")
    (found,) = errors_in(other + "  - {name: one, on: add_lead, fetch: contacts, to: books}\n")
    assert found == "7:31: fetch asks the account, and source beta has no api: write it there"


def test_a_source_that_the_route_is_not_for_needs_none(load_text: Load) -> None:
    other = HEAD.replace("sinks:", "  beta: {type: amocrm, token: long-enough}\nsinks:")
    config = load_text(other + "  - {name: one, source: acme, on: add_lead, fetch: contacts, to: books}\n")
    assert [one.name for one in config.routes] == ["one"]


@pytest.mark.parametrize(
    ("where", "at_once", "later"),
    [
        ("{price: {gt: 0}}", "price gt 0", None),
        ("{contact: {email: {exists: true}}}", None, "contact email exists true"),
        ("{price: 5, contact: {name: x}}", "price eq 5", 'contact name eq "x"'),
        ("{any: {price: 5, contact: {name: x}}, status_id: 142}", "status_id eq 142",
         '(price eq 5 or contact name eq "x")'),
        ("{not: {company: {custom: {ИНН: 7}}}}", None, 'not (company custom "ИНН" eq 7)'),
    ],
)  # fmt: skip
def test_what_the_hook_can_answer_is_answered_before_the_look_up(
    load_text: Load, where: str, at_once: str | None, later: str | None
) -> None:
    (made,) = load_text(route(f"on: status_lead, fetch: [contacts, company], where: {where}")).routes
    assert made.fetch == {"contacts", "company"}
    assert (made.where and str(made.where.root), made.where_fetched and str(made.where_fetched.root)) == (
        at_once,
        later,
    )


class Whole:
    """A lead's view with what was looked up for it."""

    def __init__(self, **found: object) -> None:
        self._found = found
        self.custom: dict[str, object] = {}

    def get(self, field: str) -> object:
        return self._found.get(field)


def person(email: str, city: str = "") -> View:
    fields = [{"code": "EMAIL", "name": "E-mail", "values": [{"value": email}]}]
    return fetched_view("contact", {"custom_fields": [*fields, {"name": "Город", "values": [{"value": city}]}]})


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("{contact: {email: {exists: true}}}", True),
        ("{contact: {email: a@x.example, custom: {Город: Москва}}}", True),
        ("{contact: {email: b@x.example}}", False),
        ("{contacts: {email: b@x.example}}", True),
        ("{contacts: {emails: {contains: b@x.example}}}", True),
        ("{contacts: {custom: {Город: Тверь}}}", True),
        ("{contacts: {custom: {Город: Омск}}}", False),
        ("{company: {name: {exists: false}}}", True),
        ("{company: {name: x}}", False),
    ],
)
def test_a_condition_sees_the_main_contact_each_contact_and_what_is_not_there(
    load_text: Load, where: str, holds: bool
) -> None:
    (made,) = load_text(route(f"on: add_lead, fetch: [contacts, company], where: {where}")).routes
    first, second = person("a@x.example", "Москва"), person("b@x.example", "Тверь")
    assert made.where_fetched
    assert (made.where_fetched.check(Whole(contact=first, contacts=[first, second], company=None)) is None) is holds


def test_a_note_on_a_lead_is_about_the_lead(load_text: Load) -> None:
    (made,) = load_text(route("on: note_lead, fetch: contacts, body: '{{ note.text }} {{ contact.email }}'")).routes
    assert made.fetch == {"contacts"}
