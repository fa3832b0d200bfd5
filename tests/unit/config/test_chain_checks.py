"""`relay check` of chains: what a route on `delivered` follows, and chains that never end."""

from collections.abc import Callable

import pytest

from relay.config.config import Config

Errors = Callable[..., list[str]]

HEAD = """\
sources:
  acme: {type: amocrm, token: long-enough, account: {subdomain: acme}}
sinks:
  books: {type: post, url: "https://books.example"}
routes:
  - {name: first, on: add_lead, to: books}
"""


def follow(name: str, *routes: str, more: str = "") -> str:
    return f"  - {{name: {name}, on: delivered, where: {{route: [{', '.join(routes)}]}}, to: books{more}}}\n"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("  - {name: one, on: delivered, to: books}\n", "7:5: on: delivered follows routes by name"),
        ("  - {name: one, on: delivered, where: {sink: books}, to: books}\n",
         "7:32: on: delivered follows routes by name: write where: {route:"),
        (follow("one", "frist"), "7:47: unknown route frist, did you mean first?"),
        (follow("one", "first", more=", each: true"), "7:68: each: every delivery is told of alone already"),
        ("  - {name: one, on: [delivered, delivery_dead], where: {route: first}, to: books}\n",
         "7:21: on: delivered tells of each delivery alone: write a route of its own for it"),
        (follow("one", "one"), "7:47: the chain comes back to itself, for ever: one → one"),
        (follow("one", "first", "two") + follow("two", "one"),
         "8:47: the chain comes back to itself, for ever: two → one → two"),
        ("".join(follow(f"r{n}", f"r{n - 1}" if n else "first") for n in range(6)),
         "12:46: the chain is too long, 5 may follow the first: first → r0 → r1 → r2 → r3 → r4 → r5"),
    ],
)  # fmt: skip
def test_a_chain_that_cannot_be_is_found(errors_in: Errors, text: str, finding: str) -> None:
    found = errors_in(HEAD + text)
    assert any(finding in one for one in found), found


def test_five_may_follow_the_first(load_text: Callable[..., Config]) -> None:
    config = load_text(HEAD + "".join(follow(f"r{n}", f"r{n - 1}" if n else "first") for n in range(5)))
    assert config.followers["first"] == ["r0"]
    assert config.asked_facts["delivered|first"] == "each"


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ("{{ contact.name }}", "unknown variable contact"),
        ("{{ lead.nmae }}", "unknown field lead.nmae; did you mean lead.name?"),
        ("{{ answer.txt }}", "unknown field answer.txt"),
    ],
)
def test_its_templates_know_the_event_that_began_it(errors_in: Errors, body: str, finding: str) -> None:
    (found,) = errors_in(HEAD + follow("one", "first", more=f", body: {{a: '{body}'}}"))
    assert finding in found


def where(text: str) -> str:
    return f"  - {{name: one, on: delivered, where: {{route: first, {text}}}, to: books}}\n"


@pytest.mark.parametrize(
    "text",
    [
        "lead: {price: {gte: 1000}, custom: {Город: Москва}}",
        "answer: {status: [200, 201], json: {number: {exists: true}, items.0.id: {gt: 5}}}",
        "delivery: {sink: books, state: delivered}, sink: books",
        "any: [{answer: {text: {contains: ok}}}, {not: {lead: {status_id: 142}}}]",
        "account: {subdomain: acme}",
        "lead: {status_id: {changed: true}}",
    ],
)
def test_where_knows_the_delivery_its_event_and_the_answer(load_text: Callable[..., Config], text: str) -> None:
    assert load_text(HEAD + where(text)).followers["first"] == ["one"]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("lead: {prise: 5}", "8:61: lead has no field prise, did you mean price?"),
        ("lead: {budget: 5}", "8:61: lead has no field budget, write price"),
        ("lead: {price: much}", "8:68: price is a number, and 'much' is none: it can never hold"),
        ("lead: {price: {changed: true}}", "8:69: can never hold: a lead carries no old_price"),
        ("answer: {status: {changed: true}}", "8:72: can never hold: there are old values of an event's own"),
        ("lead: {status: Won}", "8:69: the names of acme are not known: run `relay names acme`"),
        ("lead: 5", "8:54: needs a mapping of the lead's fields"),
        ("contact: {email: {exists: true}}", "8:54: can never hold: first is on no event that has a contact"),
        ("answer: {txt: ok}", "8:63: answer has no field txt, did you mean text?"),
        ("answer: {status: created}", "8:71: can never hold: a status is a number, and 'created' is none"),
        ("answer: {json: 5}", "8:63: needs a mapping of places in it"),
        ("answer: 201", "8:54: needs a mapping of the answer's fields: {status: 201}"),
        ("state: dead", "8:61: can never hold: what arrived is delivered, and nothing else"),
        ("delivery: {state: {in: [held, dead]}}", "8:78: can never hold: what arrived is delivered"),
        ("delivery: {route: other}", "8:72: can never hold: it follows first alone"),
        ("delivery: {sinks: books}", "8:65: delivery has no field sinks, did you mean sink?"),
        ("sink: bocks", "8:60: unknown sink bocks, did you mean books?"),
        ("sink: mail", "8:60: can never hold: first delivers to books"),
        ("any: [{sink: mail}, {sink: books}]", "8:67: can never hold: first delivers to books"),
        ("event: ad_lead", "8:61: unknown event ad_lead, did you mean add_lead?"),
        ("source: acne", "8:62: unknown source acne, did you mean acme?"),
    ],
)  # fmt: skip
def test_a_condition_that_can_never_hold_is_found(errors_in: Errors, text: str, finding: str) -> None:
    found = errors_in(HEAD.replace("routes:", "  mail: {type: text}\nroutes:") + where(text))
    assert any(finding in one for one in found), found
