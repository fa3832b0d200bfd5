"""UniSender: what is sent, what answers mean, and the result of each contact of an import. No sockets."""

import asyncio
import json
from contextlib import suppress
from itertools import product
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.errors import RejectDelivery, SkipDelivery
from relay.masking import mask_people
from relay.model import Outcome, Result
from relay.sinks.attempt_calls import EndAttempt
from relay.sinks.base import ProbeResult
from relay.sinks.unisender import answers as unisender_answers
from relay.sinks.unisender import sink as unisender_sink
from relay.sinks.unisender.answers import MethodError, interpret, parse_answer, parse_import_log
from relay.sinks.unisender.content import Contact, make_contact
from relay.sinks.unisender.imports import ContactDelivery, ContactImport
from relay.sinks.unisender.lookups import lookup_result, probe_result
from relay.sinks.unisender.requests import UnisenderRequests
from relay.sinks.unisender.settings import UnisenderSettings
from relay.sinks.unisender.sink import UnisenderSink
from relay.transport import Response, TransportFailure

KEY = "a-key-of-the-account"
ANNA = {"fields": {"email": "anna@example.com", "Name": "Анна"}}


def settings(**more) -> UnisenderSettings:
    return UnisenderSettings(
        **{"type": "unisender", "api_key": KEY, "list_ids": [20547], "double_optin": 3, **more},
    )


def sink(**more) -> UnisenderSink:
    return UnisenderSink("newsletter", settings(**more))


def described_call(params, **more) -> tuple[str, dict[str, str]]:
    """Return the address and the arguments of the call that a content would make."""
    unisender = sink(**more)
    call = unisender.describe(unisender.content(params))
    arguments = dict(call["body"])
    assert arguments.pop("api_key") == "***"
    assert arguments.pop("format") == "json"
    return call["url"], arguments


def api_answer(content, status: int = 200) -> Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Response(status=status, headers={}, body=body)


def error_answer(code: str, message: str = "so it is", status: int = 200) -> Response:
    return api_answer({"error": message, "code": code, "result": ""}, status)


# What is sent.


@pytest.mark.parametrize(
    ("params", "more", "method", "arguments"),
    [
        (
            ANNA,
            {},
            "subscribe",
            {"list_ids": "20547", "fields[email]": "anna@example.com", "fields[Name]": "Анна", "double_optin": "3",
             "overwrite": "2"},
        ),
        (
            {"fields": {"phone": "+7 (916) 123-45-67"}, "list_ids": [1, "2"], "tags": ["VIP", "new"]},
            {"double_optin": 4, "overwrite": 0, "tags": ["ours"]},
            "subscribe",
            {"list_ids": "1,2", "fields[phone]": "+79161234567", "tags": "VIP,new", "double_optin": "4",
             "overwrite": "0"},
        ),
        (
            {"fields": {"email": "a@b.example"}, "list_ids": "5, 6", "tags": "one, two,"},
            {"double_optin": 0, "overwrite": 1, "allow_destructive_overwrite": True},
            "subscribe",
            {"list_ids": "5,6", "fields[email]": "a@b.example", "tags": "one,two", "double_optin": "0",
             "overwrite": "1"},
        ),
        (
            {"fields": {"email": "a@b.example", "Age": 41, "Known": True, "None": None}, "tags": []},
            {"tags": ["ours"]},
            "subscribe",
            {"list_ids": "20547", "fields[email]": "a@b.example", "fields[Age]": "41", "fields[Known]": "1",
             "double_optin": "3", "overwrite": "2"},
        ),
        (
            {**ANNA, "action": "exclude"},
            {"list_ids": [1, 2]},
            "exclude",
            {"contact_type": "email", "contact": "anna@example.com", "list_ids": "1,2"},
        ),
        (
            {"fields": {"phone": "79161234567"}, "action": "unsubscribe", "list_ids": "all"},
            {},
            "unsubscribe",
            {"contact_type": "phone", "contact": "79161234567", "list_ids": ""},
        ),
    ],
)  # fmt: skip
def test_a_route_says_who_joins_or_leaves_what(params, more, method, arguments):
    url, called = described_call(params, **more)
    assert url == f"https://api.unisender.com/en/api/{method}"
    assert called == arguments


@pytest.mark.parametrize("base", ["https://api.selzy.com", "https://api.selzy.com/"])
def test_selzy_has_the_same_methods(base):
    assert described_call(ANNA, url=base, lang="ru")[0] == "https://api.selzy.com/ru/api/subscribe"


def test_all_of_it_is_in_the_body(delivery):
    requests = UnisenderRequests(settings())
    request = requests.build(requests.contact_call(make_contact(ANNA)))
    body = parse_qs(request.body.decode())
    assert (request.method, request.url.query_string) == ("POST", "")
    assert (body["api_key"], body["format"], body["fields[Name]"]) == ([KEY], ["json"], ["Анна"])


@pytest.mark.parametrize("overrides", [{}, {"list_ids": [7], "tags": ["x"]}])
def test_the_sinks_lists_are_used_unless_a_route_has_its_own(overrides):
    content = sink().content({**ANNA, **overrides})
    today = sink(list_ids=[99], tags=["later"]).describe(content)["body"]
    assert (today["list_ids"], today["tags"]) == (("7", "x") if overrides else ("99", "later"))


@pytest.mark.parametrize(
    "params", [{"fields": {}}, {"fields": {"Name": "Анна"}}, {"fields": {"email": "", "phone": None}}]
)
def test_a_contact_without_an_address_is_skipped(params):
    with pytest.raises(SkipDelivery, match="neither email nor phone"):
        make_contact(params)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"fields": {"email": "anna"}}, "fields.email: it is no e-mail address"),
        ({"fields": {"email": "anna@example.com, b@example.com"}}, "no e-mail address"),
        ({"fields": {"phone": "call me"}}, "fields.phone: it is no phone number"),
        ({"fields": "anna@example.com"}, "takes a mapping"),
        ({"fields": None}, "takes a mapping"),
        ({"fields": {"email": ["a@b.example"]}}, "fields.email: takes a text"),
        ({"fields": {"email": "a@b.example", "N[0]": "x"}}, "cannot be the name"),
        ({"fields": {"email": "a@b.example", **{f"f{n}": "x" for n in range(50)}}}, "at most 50"),
        ({**ANNA, "action": "delete"}, "not one of subscribe, exclude, unsubscribe"),
        ({**ANNA, "list_ids": []}, "no ids of lists"),
        ({**ANNA, "list_ids": None}, "no ids of lists"),
        ({**ANNA, "list_ids": "news"}, "no ids of lists"),
        ({**ANNA, "list_ids": [0]}, "no ids of lists"),
        ({**ANNA, "list_ids": "all"}, "nobody subscribes to all lists"),
        ({**ANNA, "tags": [f"t{n}" for n in range(11)]}, "at most 10"),
        ({**ANNA, "tags": ["a,b"]}, "without commas"),
    ],
)
def test_what_can_never_be_sent_is_rejected_without_naming_the_person(params, reason):
    with pytest.raises(RejectDelivery, match=reason) as rejected:
        make_contact(params)
    assert "anna@" not in str(rejected.value) or "mapping" in reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries({"fields": json_values}, optional=dict.fromkeys(["action", "list_ids", "tags"], json_values))
)
def test_whatever_a_template_renders_is_a_contact_or_a_reason_why_not(params):
    contact = None
    with suppress(RejectDelivery, SkipDelivery):
        contact = make_contact(params)
    assert contact is None or contact.email or contact.phone


# What the settings may say.


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"double_optin": None}, "double_optin"),
        ({"double_optin": 1}, "double_optin"),
        ({"overwrite": 1}, "allow_destructive_overwrite"),
        ({"overwrite": 3}, "overwrite"),
        ({"list_ids": []}, "list_ids"),
        ({"list_ids": [0]}, "list_ids"),
        ({"tags": ["a,b"]}, "without commas"),
        ({"tags": ["t"] * 11}, "tags"),
        ({"api_key": ""}, "api_key"),
        ({"timeout": "2m"}, "at most 60s"),
        ({"url": "api.selzy.com"}, "write it in full"),
    ],
)
def test_settings_that_would_harm_are_refused(wrong, reason):
    with pytest.raises(ValidationError, match=reason):
        settings(**wrong)


def test_double_optin_is_required():
    with pytest.raises(ValidationError, match="double_optin"):
        UnisenderSettings(type="unisender", api_key=KEY, list_ids=[1])


@pytest.mark.parametrize(
    ("more", "batch", "on_unknown"),
    [
        ({}, 500, "retry"),
        ({"overwrite": 0}, 1, "retry"),
        ({"overwrite": 1, "allow_destructive_overwrite": True}, 1, "retry"),
        ({"on_unknown": "hold"}, 1, "hold"),
        ({"double_optin": 0}, 1, "lookup"),
        ({"double_optin": 4}, 1, "lookup"),
    ],
)
def test_only_what_is_harmless_and_means_the_same_is_imported(more, batch, on_unknown, delivery):
    unisender = sink(**more)
    assert (unisender.batch, unisender.policy.on_unknown, unisender.repeatable(delivery())) == (
        batch,
        on_unknown,
        on_unknown == "retry",
    )


def test_sinks_of_one_key_share_its_limits():
    one, same, other = sink(), sink(list_ids=[5], double_optin=0), sink(api_key="another")
    assert one.limits == same.limits
    assert {(limit.count, limit.per_ms) for limit in one.limits} == {(300, 60_000), (1200, 60_000)}
    assert not {limit.key for limit in one.limits} & {limit.key for limit in other.limits}
    assert not any(KEY in limit.key for limit in one.limits)
    assert len(sink(rate="4/s").limits) == 3


# What an answer means.

BLOCKED, REJECTED, RETRY = Outcome.BLOCKED, Outcome.REJECTED, Outcome.RETRY
THROTTLED, UNKNOWN, DELIVERED = Outcome.THROTTLED, Outcome.UNKNOWN, Outcome.DELIVERED
NOT_FOUND = 'Contact "anna@example.com" not found'
OWNED = "Email and phone already exist but owned by different subscribers"


@pytest.mark.parametrize(
    ("answer", "action", "outcome", "after_ms", "scope"),
    [
        *[
            (error_answer(code), action, BLOCKED, None, "sink")
            for code, action in product(
                ["invalid_api_key", "access_denied", "unknown_method", "not_enough_money"], ["subscribe", "exclude"]
            )
        ],
        (error_answer("invalid_arg"), "subscribe", REJECTED, None, "sink"),
        (error_answer("retry_later"), "subscribe", RETRY, None, "sink"),
        (error_answer("api_call_limit_exceeded_for_api_key"), "subscribe", THROTTLED, 60_000, "sink"),
        (error_answer("api_call_limit_exceeded_for_ip"), "subscribe", THROTTLED, 60_000, "sink"),
        (error_answer("unspecified", NOT_FOUND), "exclude", DELIVERED, None, "sink"),
        (error_answer("unspecified", NOT_FOUND), "unsubscribe", DELIVERED, None, "sink"),
        (error_answer("unspecified", NOT_FOUND), "subscribe", RETRY, None, "sink"),
        (error_answer("unspecified", "List has no confirmation letters"), "subscribe", BLOCKED, None, "route"),
        (error_answer("unspecified", OWNED), "subscribe", REJECTED, None, "sink"),
        (error_answer("unspecified", "something else"), "subscribe", RETRY, None, "sink"),
        (error_answer("a_code_of_tomorrow"), "subscribe", RETRY, None, "sink"),
        (api_answer({"error": "no code at all"}), "subscribe", RETRY, None, "sink"),
        (error_answer("invalid_api_key", status=403), "subscribe", BLOCKED, None, "sink"),
        (api_answer({"result": {"person_id": 2500767342}}), "subscribe", DELIVERED, None, "sink"),
        (api_answer({"result": {}}), "exclude", DELIVERED, None, "sink"),
        (api_answer({"result": []}), "unsubscribe", DELIVERED, None, "sink"),
        (api_answer(b"<html>"), "subscribe", UNKNOWN, None, "sink"),
        (api_answer(b'{"result": {"person'), "subscribe", UNKNOWN, None, "sink"),
        (api_answer({"result": ""}), "subscribe", UNKNOWN, None, "sink"),
        (api_answer([]), "subscribe", UNKNOWN, None, "sink"),
        (api_answer(b"<html>"), "exclude", RETRY, None, "sink"),
        (api_answer({"ok": False, "error": "injected"}, 500), "subscribe", UNKNOWN, None, "sink"),
        (api_answer(b"", 502), "unsubscribe", RETRY, None, "sink"),
        (api_answer(b"", 408), "subscribe", UNKNOWN, None, "sink"),
        (api_answer({"error": "injected"}, 429), "subscribe", THROTTLED, 60_000, "sink"),
        (api_answer(b"", 404), "subscribe", BLOCKED, None, "sink"),
        (api_answer(b"", 302), "subscribe", BLOCKED, None, "sink"),
        (TransportFailure(kind="timeout", reason="no answer in time", sent=True), "subscribe", UNKNOWN, None, "sink"),
        (TransportFailure(kind="reset", reason="reset", sent=True), "exclude", RETRY, None, "sink"),
        (TransportFailure(kind="connect", reason="refused", sent=False), "subscribe", RETRY, None, "sink"),
        (TransportFailure(kind="tls", reason="certificate", sent=False), "subscribe", BLOCKED, None, "sink"),
    ],
)
def test_every_answer_has_its_outcome(answer, action, outcome, after_ms, scope):
    result = interpret(parse_answer(answer), Contact(action=action, email="anna@example.com"), 0)
    assert (result.outcome, result.after_ms, result.scope) == (outcome, after_ms, scope)
    assert result.reason
    assert "anna" not in result.reason


@pytest.mark.parametrize(("tries", "outcome"), [(0, RETRY), (1, RETRY), (2, REJECTED), (9, REJECTED)])
def test_what_they_cannot_explain_is_tried_three_times(tries, outcome):
    answer = parse_answer(error_answer("unspecified", "something else"))
    assert interpret(answer, Contact(email="anna@example.com"), tries).outcome is outcome


@pytest.mark.parametrize(
    ("result", "person", "reason"),
    [
        ({"person_id": 2500767342}, "2500767342", "subscribed"),
        ({"person_id": 9007199254740993}, "9007199254740993", "subscribed"),
        ({"person_id": 1, "invitation_letter_sent": 1}, "1", "subscribed, a letter asks to confirm"),
        ({}, "", "subscribed"),
    ],
)
def test_what_they_made_is_kept(result, person, reason):
    interpreted = interpret(parse_answer(api_answer({"result": result})), Contact(email="anna@example.com"), 0)
    assert (interpreted.outcome, interpreted.provider_id, interpreted.reason) == (DELIVERED, person, reason)


def test_of_a_message_of_a_megabyte_only_the_beginning_is_masked(monkeypatch):
    masked = []
    monkeypatch.setattr(unisender_answers, "mask_people", lambda text: masked.append(text) or mask_people(text))
    result = MethodError(code="invalid_arg", message="x " * 140 + "anna.kovaleva@example.com " * 40_000)
    assert "anna" not in result.to_result("subscribe", 0).reason
    assert [len(text) < 2_000 for text in masked] == [True]


def test_key_and_contact_are_masked_in_reasons(delivery):
    unisender = sink()
    held = delivery(unisender.content({"fields": {"email": "anna@example.com", "phone": "+79161234567"}}))
    answer = error_answer("invalid_arg", f"{KEY} anna@example.com 79161234567")
    result = asyncio.run(_sent(unisender, held, answer))
    assert (result.outcome, result.response) == (REJECTED, "")
    assert not any(secret in result.reason for secret in (KEY, "anna", "916"))


async def _sent(unisender, held, answer) -> Result:
    """Send over a session that gives one answer."""

    async def call(session, request):
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unisender_sink, "call", call)
        return await unisender.send(held, SimpleNamespace(session=None))


# What looking up tells.


def contact_answer(status, *lists):
    return {"email": {"email": "a@b.example", "status": status, "lists": [{"id": str(id)} for id in lists]}}


@pytest.mark.parametrize(
    ("answer", "without_letter", "outcome"),
    [
        (contact_answer("active", 1, 2, 3), False, DELIVERED),
        (contact_answer("invited"), False, DELIVERED),
        (contact_answer("active", 1), True, RETRY),
        (contact_answer("active", 1), False, UNKNOWN),
        (contact_answer("blocked"), True, UNKNOWN),
        ({"what": "is this"}, True, UNKNOWN),
        (MethodError(code="unspecified", message=NOT_FOUND), False, RETRY),
        (MethodError(code="invalid_api_key", message="no"), False, BLOCKED),
        (MethodError(code="api_call_limit_exceeded_for_ip", message="no"), False, THROTTLED),
        (MethodError(code="retry_later", message="no"), False, THROTTLED),
        (MethodError(code="unspecified", message="no"), False, THROTTLED),
        (Result(outcome=UNKNOWN, reason="no answer in time"), False, THROTTLED),
        (Result(outcome=RETRY, reason="refused"), False, THROTTLED),
        (Result(outcome=BLOCKED, reason="302"), False, BLOCKED),
    ],
)
def test_looking_up_never_guesses(answer, without_letter, outcome):
    assert lookup_result(answer, [1, 2], known_join_without_letter=without_letter).outcome is outcome


@pytest.mark.parametrize(
    ("params", "outcome"),
    [({"fields": {"phone": "79161234567"}}, UNKNOWN), ({**ANNA, "action": "exclude"}, RETRY)],
)
def test_what_cannot_or_need_not_be_looked_up_asks_nothing(delivery, params, outcome):
    unisender = sink(double_optin=0)
    assert asyncio.run(unisender.lookup(delivery(unisender.content(params)), None)).outcome is outcome


# What a probe tells.

TITLES = [{"id": 20547, "title": "News"}, {"id": "5", "title": "Clients"}]


@pytest.mark.parametrize(
    ("answer", "list_ids", "letters", "ok", "message"),
    [
        (TITLES, [20547], False, True, "the key is valid, contacts go to 20547 (News)"),
        (TITLES, [20547], True, True, "is known only after the first contact"),
        (TITLES, [5, 7], False, False, "there is no list 7; these exist: 20547 (News), 5 (Clients)"),
        ([], [7], False, False, "these exist: none"),
        ({"a": 1}, [7], False, False, "check the sink's url"),
        (MethodError(code="invalid_api_key", message="no"), [7], False, False, "the api_key is not valid"),
        (Result(outcome=UNKNOWN, reason="no answer in time"), [7], False, False, "no answer in time"),
    ],
)
def test_a_probe_says_in_words_what_is_wrong(answer, list_ids, letters, ok, message):
    probe = probe_result(answer, list_ids, letters=letters)
    assert isinstance(probe, ProbeResult)
    assert probe.ok is ok
    assert message in probe.message


# Imports.


class FakeCalls:
    """Answers imports by a script; some addresses are invalid."""

    def __init__(self, *answers) -> None:
        self._answers = list(answers)
        self.tables: list[list[list[str]]] = []

    async def call(self, request):
        body = parse_qs(request.body.decode(), keep_blank_values=True)
        rows: dict[int, list[str]] = {}
        for name, (value,) in body.items():
            if name.startswith("data["):
                rows.setdefault(int(name[5:].partition("]")[0]), []).append(value)
        self.tables.append([rows[n] for n in sorted(rows)])
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, EndAttempt):
            raise answer
        return answer(self.tables[-1]) if callable(answer) else answer


def log_of(rows):
    """Accept all but those whose address begins with "bad"."""
    log = [{"index": str(n), "code": "invalid_arg", "message": f"{row[0]} is bad"} for n, row in enumerate(rows)
           if row[0].startswith("bad")]  # fmt: skip
    return api_answer({"result": {"total": len(rows), "invalid": len(log), "log": log}})


def all_or_nothing(rows):
    """Refuse the whole import where one contact is invalid."""
    return error_answer("invalid_arg") if any(row[0].startswith("bad") for row in rows) else log_of(rows)


def without_saying_which(rows):
    bad = sum(row[0].startswith("bad") for row in rows)
    return api_answer({"result": {"total": len(rows), "invalid": bad, "log": []}})


def with_a_row_that_was_not_sent(rows):
    """Report a row that was not sent."""
    return api_answer({"result": {"total": 1, "invalid": 1, "log": [{"index": len(rows), "code": "invalid_arg"}]}})


@pytest.fixture
def import_all(delivery):
    """Import contacts, and return the results and the rows that were sent."""

    def go(contents, *answers, **more):
        unisender, calls = sink(**more), FakeCalls(*answers)
        members = [
            ContactDelivery(
                delivery=delivery(id=f"d{n}", accepted_at=n),
                contact=make_contact(c if isinstance(c, dict) else {"fields": {"email": f"{c}@b.example"}}),
            )
            for n, c in enumerate(contents)
        ]
        results = asyncio.run(ContactImport(members, UnisenderRequests(settings(**more)), calls).run())
        assert unisender.batch == 500
        return results, calls.tables

    return go


@pytest.mark.parametrize("vendor", [log_of, all_or_nothing, without_saying_which])
def test_each_contact_gets_its_own_outcome_however_they_tell_it(import_all, vendor):
    names = [f"{'bad' if n in (0, 3, 9) else 'good'}{n}" for n in range(10)]
    results, tables = import_all(names, vendor)
    assert [result.outcome for result in results] == [
        REJECTED if name.startswith("bad") else DELIVERED for name in names
    ]
    assert not [name for name in names if f"{name}@" in "".join(result.reason for result in results)]
    assert len(tables) == 1 or vendor is not log_of


@given(st.sets(st.integers(0, 39), max_size=6), st.sampled_from([log_of, all_or_nothing, without_saying_which]))
def test_invalid_contacts_are_found_wherever_they_are(bad, vendor):
    members = [
        ContactDelivery(
            delivery=numbered(n), contact=Contact(email=f"{'bad' if n in bad else 'good'}{n}@b.example")
        )
        for n in range(40)
    ]  # fmt: skip
    results = asyncio.run(ContactImport(members, UnisenderRequests(settings()), FakeCalls(vendor)).run())
    assert {n for n, result in enumerate(results) if result.outcome is REJECTED} == bad
    assert {result.outcome for result in results} <= {REJECTED, DELIVERED}


def numbered(n: int) -> SimpleNamespace:
    return SimpleNamespace(id=str(n), attempts=0, accepted_at=n)


def test_a_log_about_a_row_that_was_not_sent_is_not_believed(import_all):
    results, tables = import_all(["a", "b"], with_a_row_that_was_not_sent)
    assert [result.outcome for result in results] == [REJECTED, REJECTED]
    assert [len(table) for table in tables] == [2, 1, 1]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (error_answer("invalid_api_key"), BLOCKED),
        (error_answer("api_call_limit_exceeded_for_api_key"), THROTTLED),
        (error_answer("retry_later"), RETRY),
        (api_answer(b"<html>"), UNKNOWN),
        (api_answer({"result": {"what": 1}}), UNKNOWN),
        (TransportFailure(kind="timeout", reason="no answer in time", sent=True), UNKNOWN),
    ],
)
def test_an_error_of_the_whole_import_is_the_result_of_each_delivery(import_all, answer, outcome):
    results, tables = import_all(["a", "b", "c"], answer)
    assert [result.outcome for result in results] == [outcome] * 3
    assert len(tables) == 1


def test_an_error_in_the_log_means_the_same_as_for_a_single_call(import_all):
    lines = [
        {"index": 0, "code": "unspecified", "message": OWNED},
        {"index": 1, "code": "unspecified", "message": "something else"},
    ]
    results, _ = import_all(["a", "b", "c"], api_answer({"result": {"total": 3, "log": lines}}))
    assert [result.outcome for result in results] == [REJECTED, RETRY, DELIVERED]


def test_rows_carry_their_lists_and_tags_and_tables_have_one_set_of_columns(import_all):
    contents = [
        {"fields": {"email": "a@b.example"}, "list_ids": [1], "tags": ["x"]},
        {"fields": {"email": "b@b.example"}, "list_ids": [2], "tags": ["y", "z"]},
        {"fields": {"email": "c@b.example", "Name": "C"}},
        {"fields": {"email": "d@b.example"}, "action": "exclude"},
    ]
    results, tables = import_all(contents, log_of)
    assert sorted(table for table in tables if table) == [
        [["a@b.example", "1", "x"], ["b@b.example", "2", "y,z"]],
        [["c@b.example", "20547", "C"]],
    ]
    assert len(tables) == 3
    assert [result.outcome for result in results] == [DELIVERED] * 4


@pytest.mark.parametrize(
    "answer",
    [
        error_answer("api_call_limit_exceeded_for_api_key"),
        EndAttempt(Result(outcome=THROTTLED, reason="no room", after_ms=7)),
    ],
)
def test_after_a_throttled_call_the_rest_waits(import_all, answer):
    contents = ["a", "b", {"fields": {"email": "c@b.example", "Name": "C"}}, {**ANNA, "action": "exclude"}]
    results, tables = import_all(contents, log_of, answer)
    assert [result.outcome for result in results] == [DELIVERED, DELIVERED, THROTTLED, THROTTLED]
    assert len(tables) == 2


def test_what_arrived_later_is_written_later(delivery):
    calls = FakeCalls(log_of)
    members = [
        ContactDelivery(delivery=delivery(id=name, accepted_at=at), contact=Contact(email=f"{name}@b.example"))
        for name, at in (("new", 9), ("old", 1))
    ]
    asyncio.run(ContactImport(members, UnisenderRequests(settings()), calls).run())
    assert [row[0] for row in calls.tables[0]] == ["old@b.example", "new@b.example"]


@pytest.mark.parametrize("result", [None, 5, {"total": "many"}, {"total": 1, "log": [{"index": "first"}]}])
def test_an_import_that_cannot_be_read_is_not_guessed(result):
    assert parse_import_log(result, 1) is None
