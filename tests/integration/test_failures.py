"""What is held or dead is grouped by cause, so that all of one cause can be listed and decided at once."""

import json

import pytest

from relay.model import DecisionKind, DeliveryState, Outcome
from relay.operations.failures import find_failures
from relay.operations.search import EventFilter, find_deliveries
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import settlement

YAML = """
sources: {acme: {type: amocrm, token: a-token-of-sixteen}}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
routes:
  - {name: invoices, on: add_lead, to: books, path: "/{{ lead.id }}", body: {lead: "{{ lead.id }}"}}
"""


@pytest.fixture
def fail(run, relay):
    """Let each due delivery come to an end for a reason."""
    relay.configure(YAML)

    def settle(reasons: list[str], state: DeliveryState = DeliveryState.DEAD) -> list[str]:
        relay.accept_leads(*range(1, len(reasons) + 1))
        request = sink_claim_request("books", "w", 100, 60_000, 0, [])
        items = run(relay.store.claim_deliveries(request)).items
        outcome = Outcome.REJECTED if state is DeliveryState.DEAD else Outcome.UNKNOWN
        kind = DecisionKind.DEAD if state is DeliveryState.DEAD else DecisionKind.HOLD
        done = [
            settlement(one, outcome, state=state, kind=kind, reason=reason)
            for one, reason in zip(items, reasons, strict=True)
        ]
        run(relay.store.settle("books", done, {}))
        return [one.id for one in items]

    return settle


def causes(run, relay) -> dict[str, tuple[str, int]]:
    return {one.cause: (one.state, one.count) for one in run(find_failures(relay.reader))}


def test_reasons_that_differ_in_numbers_only_are_one_cause(run, relay, fail):
    fail(
        [
            "422: lead 25399013 has no price",
            "422: lead 7 has no price",
            "404 no deal 9cd2c1f0-52f2-8f9f-9d8e-27ab7c81e2f5",
        ]
    )
    fail(["may have arrived"], DeliveryState.HELD)
    assert causes(run, relay) == {
        "422: lead # has no price": ("dead", 2),
        "404 no deal #": ("dead", 1),
        "may have arrived": ("held", 1),
    }


def test_a_cause_lists_its_deliveries_and_has_when_and_samples(run, relay, fail):
    ids = fail(["422: no price", "422: no price", "400: no name"])
    first = run(find_failures(relay.reader, "books"))[0]
    assert (first.count, set(first.samples)) == (2, set(ids[:2]))
    assert first.first <= first.last
    found = run(find_deliveries(relay.reader, EventFilter(cause=first.id)))
    assert {one.id for one in found.items} == set(ids[:2])
    listed = json.loads(relay.command("deliveries", "list", "--cause", first.id, "--sink", "books", "--json")[1])
    assert {one["id"] for one in listed} == set(ids[:2])


@pytest.mark.parametrize("act", ["cancel", "resend"])
def test_what_is_decided_leaves_its_cause_and_an_empty_cause_is_gone(run, relay, fail, act):
    first, second = fail(["422: no price"] * 2)
    relay.command("deliveries", act, first)
    assert causes(run, relay) == {"422: no price": ("dead", 1)}
    relay.command("deliveries", act, second)
    assert causes(run, relay) == {}


@pytest.mark.parametrize("act", ["confirm", "cancel", "resend"])
def test_a_held_one_that_is_decided_leaves_its_cause(run, relay, fail, act):
    (held,) = fail(["no answer in time"], DeliveryState.HELD)
    relay.command("deliveries", act, held)
    assert causes(run, relay) == {}


def test_what_cannot_be_rendered_is_grouped_too(run, relay):
    relay.configure(YAML.replace('{{ lead.id }}"}}', '{{ lead.price | int / 0 }}"}}'))
    relay.accept_leads(1, 2)
    (only,) = run(find_failures(relay.reader))
    assert (only.state, only.count) == ("dead", 2)


def test_there_are_not_more_causes_than_a_person_reads(run, relay, fail):
    for start in range(0, 250, 50):
        fail([f"cause {chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(start, start + 50)])
    found = causes(run, relay)
    assert len(found) <= 202
    assert sum(count for _, count in found.values()) == 250
    assert found["other causes"][1] >= 48


def test_retention_takes_a_dead_letter_out_of_its_cause(run, relay, fail):
    fail(["422: no price"])
    assert run(relay.store.retention.apply(0, 0, 0)).removed == 1
    assert causes(run, relay) == {}


def test_the_command_lists_causes_and_the_problem_names_them(relay, fail):
    fail(["422: no price", "422: no price", "400: no name"])
    status, shown = relay.command("sinks", "failures")
    assert (status, [line.split()[:3] for line in shown.splitlines()[1:]]) == (
        0,
        [["books", "dead", "2"], ["books", "dead", "1"]],
    )
    assert "3 dead letter(s): 2 × 422: no price, 1 × 400: no name" in relay.command("problems", "list")[1]
    assert "unknown sink bocks, did you mean books?" in relay.command("sinks", "failures", "bocks")[1]
