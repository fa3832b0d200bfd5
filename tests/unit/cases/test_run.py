"""A case passes where the relay would do what it expects; else each difference says what is there instead."""

import pytest

from tests.unit.cases.conftest import Run

WON = "event: status_lead, lead: {id: 7, status_id: 142, price: 1500.5, tags: [VIP]}"
INVOICE = '{route: invoice, to: books, content: {body: {id: "7", amount: "1500.50", tags: [VIP]}}}'


def differences(run_cases: Run, text: str) -> list[str]:
    (result,) = run_cases(text)
    return [f"{one.place}: {one.message}" for one in result.differences]


@pytest.mark.parametrize("hook", [
    WON,
    'body: "leads[status][0][id]=7&leads[status][0][status_id]=142&leads[status][0][price]=1500.5'
    '&leads[status][0][tags][0][name]=VIP"',
    'body: "{\\"leads\\": {\\"status\\": [{\\"id\\": 7, \\"status_id\\": 142, \\"price\\": 1500.5, '
    '\\"tags\\": [{\\"name\\": \\"VIP\\"}]}]}}"',
    "body: {leads: {status: [{id: 7, status_id: 142, price: 1500.5, tags: [{name: VIP}]}]}}",
    "body_file: won.form",
])  # fmt: skip
def test_a_hook_has_several_forms(run_cases: Run, folder, hook: str) -> None:
    lead = "leads[status][0]"
    (folder / "cases/won.form").write_text(
        f"{lead}[id]=7&{lead}[status_id]=142&{lead}[price]=1500.5&{lead}[tags][]=VIP"
    )
    expected = f"[{INVOICE}, {{route: invoice, to: spare, once: 7}}]"
    assert differences(run_cases, f"  - {{name: won, {hook}, expect: {expected}}}") == []


def test_what_is_not_as_expected_is_said_by_its_place(run_cases: Run) -> None:
    wrong = 'content: {method: PUT, body: {id: 7, amount: "1500.5", tags: [VIP, new], phone: "8"}}'
    expected = f"[{{route: invoice, to: books, {wrong}}}, {{route: invoice, to: spare, once: 8}}]"
    found = differences(run_cases, f"  - {{name: won, {WON}, others: true, expect: {expected}}}")
    assert found == [
        'invoice → books: content.method: expected "PUT", it is "POST"',
        'invoice → books: content.body.id: expected 7, it is "7": a number was expected, it is a text',
        'invoice → books: content.body.amount: expected "1500.5", it is "1500.50"',
        'invoice → books: content.body.tags: expected ["VIP", "new"], it is ["VIP"]',
        'invoice → books: content.body.phone: expected "8", it is not there',
        'invoice → spare: once: expected "8", it is "7"',
    ]


def test_an_exact_content_has_nothing_else(run_cases: Run) -> None:
    expected = '{route: text to the manager, content: {phone: "+79161234567", text: Beans}, exact: true}'
    hook = "event: status_lead, lead: {id: 7, name: Beans, status_id: 1, responsible_user_id: 102525}"
    assert differences(run_cases, f"  - {{name: text, {hook}, expect: [{expected}]}}") == [
        'text to the manager: content.sender: not expected, it is ""',
        "text to the manager: content.segments: not expected, it is 1",
        'text to the manager: content.timezone: not expected, it is "UTC"',
    ]


def test_deliveries_that_nobody_expected_are_differences_unless_others_may(run_cases: Run) -> None:
    assert differences(run_cases, f"  - {{name: won, {WON}, expect: [{INVOICE}]}}") == [
        "invoice → spare: it was not expected, it is pending"
    ]
    # A route that is named must be named for each delivery.
    assert differences(run_cases, f"  - {{name: won, {WON}, others: true, expect: [{INVOICE}]}}") == [
        "invoice → spare: it was not expected, it is pending"
    ]
    assert differences(run_cases, f"  - {{name: won, {WON}, others: true, expect: []}}") == []


@pytest.mark.parametrize(("expected", "found"), [
    ("{route: invoice, because: price gt 0}", []),
    ("{route: invoice, matched: false}", []),
    ("{route: invoice, because: status_id}",
     ['invoice: because: expected "status_id", it is "price gt 0: saw \\"0\\""']),
    ("{route: invoice}", ['invoice: no delivery: price gt 0: saw "0"']),
    ("{route: buyer}", ['buyer: no delivery: on in ["update_lead"]: saw "status_lead"']),
])  # fmt: skip
def test_a_case_says_why_there_is_no_delivery(run_cases: Run, expected: str, found: list[str]) -> None:
    hook = "event: status_lead, lead: {id: 7, status_id: 142, price: 0}"
    assert differences(run_cases, f"  - {{name: free, {hook}, expect: [{expected}]}}") == found


@pytest.mark.parametrize("expected", ["{route: invoice, because: price gt 0}", "{route: invoice, matched: false}"])
def test_of_a_hook_without_an_event_no_route_was_tried(run_cases: Run, expected: str) -> None:
    (found,) = differences(run_cases, f"  - {{name: nonsense, body: hello, state: malformed, expect: [{expected}]}}")
    assert found.startswith("invoice: no event was tried: the hook is malformed")


def test_a_route_that_was_expected_not_to_match_and_does(run_cases: Run) -> None:
    found = differences(
        run_cases, f"  - {{name: won, {WON}, others: true, expect: [{{route: invoice, matched: false}}]}}"
    )
    assert found[0] == "invoice: it matches, and was expected not to"


def test_a_skipped_delivery_has_its_state_and_reason(run_cases: Run) -> None:
    hook = "event: status_lead, lead: {id: 7, name: Beans, status_id: 1, responsible_user_id: 9}"
    skipped = 'phone: table managers has no entry for \\"9\\"'
    right = '{route: text to the manager, state: skipped, reason: no entry for "9"}'
    assert differences(run_cases, f"  - {{name: nobody, {hook}, expect: [{right}]}}") == []
    assert differences(run_cases, f"  - {{name: nobody, {hook}, expect: [{{route: text to the manager}}]}}") == [
        f'text to the manager: state: expected "pending", it is "skipped, {skipped}"'
    ]


def test_a_used_once_key_makes_no_second_delivery(run_cases: Run) -> None:
    for expected in ("[]", "[{route: invoice, to: books, state: not made}]"):
        assert differences(run_cases, f"  - {{name: again, {WON}, used: [7], expect: {expected}}}") == []
    (found,) = differences(run_cases, f"  - {{name: again, {WON}, used: [7], expect: [{INVOICE}]}}")
    assert found.startswith('invoice → books: state: expected "pending", it is "not made, its `once` key is used')
    twice = "leads[status][{n}][id]=7&leads[status][{n}][status_id]=142&leads[status][{n}][price]=1"
    body = "&".join(twice.format(n=n) for n in (0, 1))
    both = "[{route: invoice, to: books}, {route: invoice, to: spare}]"
    assert differences(run_cases, f'  - {{name: twice in one hook, body: "{body}", expect: {both}}}') == []


ANNA = '{id: 1, name: Anna, email: a@example.com, phone: "+79161234567", tags: [VIP], custom: {City: Omsk}}'


@pytest.mark.parametrize(("fetched", "expected"), [
    (f"{{contact: {ANNA}, company: {{name: Beans Ltd}}, responsible: {{id: 5, name: Boris}}}}",
     "{route: buyer, content: {body: {email: a@example.com, all: [Anna], company: Beans Ltd, by: Boris}}}"),
    (f"{{contacts: [{ANNA}, {{id: 2, name: Clara}}]}}", "{route: buyer, content: {body: {all: [Anna, Clara]}}}"),
    ("{contact: {id: 1, name: Anna}}", "{route: buyer, state: skipped, reason: contact.email.exists did not hold}"),
    ("{}", "{route: buyer, state: skipped, reason: contact.email.exists did not hold}"),
    ("nothing", "{route: buyer, state: skipped, reason: lead 7 is not in the account}"),
    ("{contact: {id: 1, name: Anna, custom_fields_values: [{field_code: EMAIL, values: [{value: a@example.com}]}]}}",
     "{route: buyer, content: {body: {email: a@example.com}}}"),
])  # fmt: skip
def test_what_the_account_answers_is_a_part_of_the_case(run_cases: Run, fetched: str, expected: str) -> None:
    hook = f"event: update_lead, lead: {{id: 7, status_id: 142}}, fetched: {fetched}"
    assert differences(run_cases, f"  - {{name: buyer, {hook}, expect: [{expected}]}}") == []


def test_a_look_up_that_a_case_does_not_answer_is_named(run_cases: Run) -> None:
    hook = "event: update_lead, lead: {id: 7, status_id: 142}"
    assert differences(run_cases, f"  - {{name: buyer, {hook}, expect: [{{route: buyer}}]}}") == [
        "buyer: it waits for a look-up: write under fetched what the account answers, or fetched: nothing"
    ]


def test_the_time_and_the_ids_of_a_case_are_always_the_same(run_cases: Run) -> None:
    card = '{route: card, content: {body: {at: "%s", id: 00000000-0000-7000-8000-000000000000.0}}}'
    contact = "event: add_contact, contact: {id: 1}"
    assert differences(run_cases, f"  - {{name: card, {contact}, expect: [{card % '1767225600000'}]}}") == []
    now = 'now: "2026-11-29T12:00:00+03:00"'
    assert differences(run_cases, f"  - {{name: card, {contact}, {now}, expect: [{card % '1795942800000'}]}}") == []


@pytest.mark.parametrize(("hook", "expected", "found"), [
    (f"{WON}, account: {{subdomain: other}}", "state: refused, reason: it is from 'other', expect: []", []),
    ("event: status_lead, lead: {id: 7, status_id: 142, price: 1, modified_user_id: 504141}",
     "state: refused, reason: ignore_users, expect: []", []),
    ('body: "hello"', "state: malformed, expect: []", []),
    ("event: delete_lead, lead: {id: 7}", "state: unrouted, expect: []", []),
    ('body: "hello"', "expect: [{route: invoice}]",
     ["invoice: no delivery: the hook is malformed, body: 5 bytes without a single '=', not a form"]),
    ("event: delete_lead, lead: {id: 7}", "state: routed, expect: []",
     ['state: expected "routed", it is "unrouted, no route matched"']),
])  # fmt: skip
def test_what_becomes_of_the_whole_hook(run_cases: Run, hook: str, expected: str, found: list[str]) -> None:
    assert differences(run_cases, f"  - {{name: whole, {hook}, {expected}}}") == found


def test_blanks_that_only_look_like_one_are_named(run_cases: Run) -> None:
    hook = 'event: status_lead, lead: {id: 7, status_id: 142, price: 1, tags: ["1\\u00a0500"]}'
    expected = '{route: invoice, to: books, content: {body: {tags: ["1 500"]}}}, {route: invoice, to: spare}'
    (found,) = differences(run_cases, f"  - {{name: money, {hook}, expect: [{expected}]}}")
    assert found.endswith(": they are the same but for a no-break space (U+00A0), which is a part of one")


def test_of_long_texts_the_part_is_shown_that_differs(run_cases: Run) -> None:
    hook = f"event: status_lead, lead: {{id: 7, name: {'a' * 200}b, status_id: 1, responsible_user_id: 102525}}"
    expected = f"{{route: text to the manager, content: {{text: {'a' * 200}c}}}}"
    (found,) = differences(run_cases, f"  - {{name: long, {hook}, expect: [{expected}]}}")
    assert found == f'text to the manager: content.text: expected …{"a" * 20}c", it is …{"a" * 20}b"'
