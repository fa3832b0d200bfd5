"""What `relay check` says about the words for a vendor's promise: idempotency, idempotency_key and on_unknown."""

import pytest

from relay.config.load import load
from relay.errors import ConfigError
from relay.sinks.registry import sink_types

FRAME = """\
sources:
  acme: {{type: amocrm, token: acme-hook-token, timezone: Europe/Moscow}}
sinks:
  books: {{type: http, url: "https://books.example.com"{sink}}}
routes:
  - {{name: a route, on: add_lead, to: books, body: {{id: "{{{{ lead.id }}}}"}}{route}}}
"""
LOOKUP = ", lookup: {path: /x, id_path: id}"
MISSING = (
    "relay.yaml:4:3: books: idempotency is missing, so what may have arrived is held for a person: write honoured if"
    " they recognise a repetition by its key, lookup if they can be asked, none if neither"
)


def findings(sink: str, route: str = "") -> list[str]:
    text = FRAME.format(sink=sink, route=route)
    try:
        config = load(text, file="relay.yaml", environ={}, sink_types=sink_types())
    except ConfigError as error:
        return str(error).splitlines()
    return [finding.format("relay.yaml") for finding in config.findings]


@pytest.mark.parametrize(
    ("sink", "route"),
    [
        ("", ""),
        (", method: PATCH", ""),
        (", idempotency_key: X-Key", ""),
        (", on_unknown: retry", ""),
        (LOOKUP, ""),
        (", method: PUT", ", method: POST"),
        (", method: PUT", ", method: \"{{ 'POST' }}\""),
    ],
)
def test_what_is_posted_wants_the_word(sink: str, route: str) -> None:
    assert findings(sink, route) == [MISSING]


@pytest.mark.parametrize(
    ("sink", "route"),
    [
        (", idempotency: honoured", ""),
        (", idempotency: none", ""),
        (", idempotency: lookup" + LOOKUP, ""),
        (", idempotency: honoured, idempotency_key: X-Key, on_unknown: hold", ""),
        (", idempotency: lookup, on_unknown: hold" + LOOKUP, ""),
        (", idempotency: none, on_unknown: hold, idempotency_key: false", ""),
        (", method: PUT", ""),
        ("", ", method: PUT"),
    ],
)
def test_what_is_said_or_harmless_is_right(sink: str, route: str) -> None:
    assert findings(sink, route) == []


@pytest.mark.parametrize(
    ("sink", "column", "finding"),
    [
        (", idempotency: honoured, idempotency_key: false", 70, "honoured needs a key to recognise"),
        (", idempotency_key: false, idempotency: honoured", 94, "honoured needs a key to recognise"),
        (", idempotency: lookup", 70, "lookup needs to know how: add a lookup with its path, or write none"),
        (", idempotency: none, on_unknown: retry", 70, "none contradicts on_unknown: retry, which sends again"),
        (", idempotency: none, on_unknown: lookup" + LOOKUP, 70, "none contradicts on_unknown: lookup: write lookup"),
        (", idempotency: lookup, on_unknown: retry" + LOOKUP, 70, "lookup contradicts on_unknown: retry, which asks"),
        (", idempotency: honored", 70, "'honored' is unknown, did you mean honoured?"),
        (", idempotency: true", 70, "True is unknown, known: honoured, lookup, none"),
    ],
)
def test_words_that_contradict_each_other_are_a_mistake_at_their_place(sink: str, column: int, finding: str) -> None:
    (found,) = findings(sink)
    assert found.startswith(f"relay.yaml:4:{column}: idempotency: {finding}")


@pytest.mark.parametrize(
    ("key", "right"), [("idempotent: true", "idempotency"), ("idempotency_header: X", "idempotency_key")]
)
def test_other_names_of_it_lead_to_the_word(key: str, right: str) -> None:
    (found,) = findings(f", {key}")
    assert found == f"relay.yaml:4:57: unknown key {key.partition(':')[0]}, write {right}"


def test_other_types_know_their_vendor() -> None:
    text = FRAME.format(sink="", route="").replace('http, url: "https://books.example.com"', "log, idempotency: none")
    with pytest.raises(ConfigError, match="4:22: unknown key idempotency, known: "):
        load(text, file="relay.yaml", environ={}, sink_types=sink_types())
