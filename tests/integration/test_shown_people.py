"""No command shows a person's number or address: not in a path, a query, a key, a body, a header or an answer."""

import json
import re
from urllib.parse import unquote

import pytest

from relay.amocrm.form import encode_form
from relay.config.load import load as load_config
from relay.model import Decision, DecisionKind, DeliveryState, Outcome
from relay.planning import plan_receipt
from relay.sinks.registry import make_sinks, sink_types
from relay.store.records import Settlement
from relay.store.requests import sink_claim_request
from tests.integration.store.shapes import attempt, hook

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
routes:
  - name: buyer
    on: add_contact
    to: books
    path: "/people/{{ contact.custom['Телефон'] }}/{{ contact.custom['Email'] }}"
    query: {phone: "{{ contact.custom['Телефон'] }}", email: "{{ contact.custom['Email'] }}", order: "31926521"}
    body:
      phone: "{{ contact.custom['Телефон'] }}"
      note: "{{ contact.name }}: {{ contact.custom['Email'] }}"
      amount: "154000.00"
  - name: others
    on: add_contact
    where: {name: {contains: nobody}}
    to: books
    body: {}
"""
ADDRESS = "vera.kovaleva+crm@example.com"
NUMBERS = ["+375 29 123-45-67", "+7 (916) 123-45-67", "8 029 123-45-67", "375291234567", "+49 151 23456789"]
ANSWER = (
    '{{"error": "unknown {0}", "{0}": {{"to": "{1}"}}, "url": "/p?phone={0}&e={1}", "order": 31926521,'
    ' "at": 1763049630, "sum": 154000.00}}'
)
COMMANDS = [
    ["events", "show", "r1.0"], ["events", "show", "r1"], ["events", "list"], ["deliveries", "show", "{delivery}"],
    ["deliveries", "list"], ["explain", "r1"], ["explain", "hook.form"],
]  # fmt: skip


@pytest.fixture
def store_one(run, store, tmp_path):
    """Store a hook of a contact whose delivery was rejected, with an answer that names them; return its id."""

    def save(number: str, answer: str = ANSWER, forged: str = "") -> str:
        (tmp_path / "relay.yaml").write_text(CONFIG)
        fields = {"Телефон": number, "Email": ADDRESS}
        custom = [
            {"id": str(n), "name": name, "values": [{"value": value}]} for n, (name, value) in enumerate(fields.items())
        ]
        body = encode_form(
            {"contacts": {"add": [{"id": "7", "name": f"Vera {number}{forged}", "custom_fields": custom}]}}
        )
        (tmp_path / "hook.form").write_bytes(body)
        config = load_config(CONFIG, file="f", environ={}, sink_types=sink_types())
        run(store.accept([hook("r1", body)]))
        receipts = run(store.claim_receipts("router", 9, 60_000)).items
        run(store.save_routed("router", [plan_receipt(receipts[0], config, make_sinks(config))]))
        (delivery,) = run(store.claim_deliveries(sink_claim_request("books", "w", 9, 60_000, 0, []))).items
        reason = f"422: {number} and {ADDRESS} are unknown{forged}"
        response = answer.format(number, ADDRESS)
        rejected = attempt(Outcome.REJECTED, reason=reason, response=response, provider_id=number + forged)
        decision = Decision(kind=DecisionKind.DEAD, state=DeliveryState.DEAD, reason=reason)
        settlement = Settlement(delivery=delivery, outcome=Outcome.REJECTED, decision=decision, attempt=rejected)
        run(store.settle("books", [settlement], {}))
        return delivery.id

    return save


@pytest.mark.parametrize("number", NUMBERS)
def test_no_command_shows_a_number_or_an_address(store_one, command, number):
    delivery = store_one(number)
    middle = re.sub(r"[^0-9]", "", number)[1:-4]
    for arguments in COMMANDS:
        for form in ([], ["--json"]):
            printed, _ = command(*(part.format(delivery=delivery) for part in arguments), *form)
            text = unquote(printed)
            assert "vera.kovaleva" not in text, arguments
            assert "Vera" not in text, arguments
            assert middle not in re.sub(r"[^0-9\n]", "", re.sub(r"\b[0-9a-f-]{36}\b", "", text)), arguments


def test_ids_amounts_and_times_stay_readable(store_one, command):
    delivery = store_one(NUMBERS[0])
    printed, _ = command("deliveries", "show", delivery)
    for part in (delivery, "order=31926521", '"amount": "154000.00"', '"at": 1763049630', '"sum": 154000.00'):
        assert part in printed


def test_revealed_they_are_shown(store_one, command):
    delivery = store_one(NUMBERS[0])
    printed, _ = command("deliveries", "show", delivery, "--reveal")
    assert NUMBERS[0] in printed
    assert ADDRESS in printed


def test_what_they_answered_is_printed_for_an_event_and_for_a_delivery(store_one, command):
    delivery = store_one(NUMBERS[0])
    answered = '    they answered: {"error": "unknown +3***4567", "+3***4567": {"to": "v***@example.com"}'
    for arguments in (["events", "show", "r1.0"], ["deliveries", "show", delivery]):
        assert answered in command(*arguments)[0]


def test_an_event_shows_every_route_and_why_it_did_not_match(store_one, command):
    store_one(NUMBERS[0])
    printed, _ = command("events", "show", "r1.0")
    assert "  ✓ buyer\n" in printed
    assert '  ✗ others: name contains "nobody": saw "V*** +3***4567"' in printed
    (event,) = json.loads(command("events", "show", "r1.0", "--json")[0])["events"]
    assert [(route["route"], route["matched"]) for route in event["routes"]] == [("buyer", True), ("others", False)]


def test_an_event_without_a_readable_configuration_says_so(store_one, command, tmp_path):
    store_one(NUMBERS[0])
    (tmp_path / "relay.yaml").write_text("routes: [")
    assert "  routes: not shown: relay.yaml:" in command("events", "show", "r1.0")[0]


# Of a hook and of an answer: an escape sequence, C1's own, a bidirectional mark, line ends that forge a line.
FORGED = "x\x1b[2J\x9b1m\u202e\u0085\u2028\r\ndelivered\n"


@pytest.mark.parametrize("reveal", [[], ["--reveal"]])
def test_no_hook_and_no_answer_moves_a_cursor_or_forges_a_line(store_one, command, reveal):
    """Every command, for people and as JSON, has the same lines as for texts without any of it."""
    forged = store_one(NUMBERS[0], FORGED, FORGED)
    for arguments in COMMANDS:
        for form in ([], ["--json"]):
            printed, beside = command(*(part.format(delivery=forged) for part in arguments), *form, *reveal)
            assert all(character.isprintable() or character == "\n" for character in printed + beside), arguments
            assert "delivered" not in (line.strip() for line in printed.splitlines())
    for arguments in (["events", "show", "r1"], ["deliveries", "show", forged]):
        assert r"\x1b[2J\x9b1m\u202e" in command(*arguments, *reveal)[0]
        assert json.dumps(FORGED)[1:-1] in json.dumps(json.loads(command(*arguments, "--json", *reveal)[0]))
