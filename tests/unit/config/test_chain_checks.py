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
