"""What the checks of the YAML say of answers."""

import json

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import ValidationError

from relay.model import Outcome
from relay.sinks.answer_checks import AnswerCheck, AnswerChecks, ParsedAnswer, compile_checks
from relay.sinks.json_paths import text_at, values_at
from relay.transport import Response

BODY = {
    "status": "ok",
    "code": 7,
    "done": True,
    "nothing": None,
    "empty": "",
    "messages": [{"status": "0", "id": "m-1"}, {"status": "4"}],
    "errors": [],
}


def answer(content=BODY, status=200, truncated=False, **headers):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = CIMultiDictProxy(CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))
    return Response(status=status, headers=named, body=body, truncated=truncated)


def parsed_answer(*args, **more):
    return ParsedAnswer(answer(*args, **more))


def holds(check, answer):
    return compile_checks([AnswerCheck.model_validate(check)])(answer)


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ({"status": 200}, True),
        ({"status": "200"}, True),
        ({"status": [201, 200]}, True),
        ({"status": "2xx"}, True),
        ({"status": [201, "4xx"]}, False),
        ({"header": {"x-state": "done"}}, True),
        ({"header": {"X-State": "Done"}}, False),
        ({"header": {"X-Other": {"exists": False}}}, True),
        ({"header": {"X-State": {"matches": "^d"}}}, True),
        ({"json": {"status": "ok"}}, True),
        ({"json": {"status": ["sent", "ok"]}}, True),
        ({"json": {"code": "7"}}, True),
        ({"json": {"messages.0.status": 0}}, True),
        ({"json": {"messages.1.status": 0}}, False),
        ({"json": {"messages.*.status": 4}}, True),
        ({"json": {"messages.*.status": 5}}, False),
        ({"json": {"messages.2.status": 0}}, False),
        ({"json": {"done": True}}, True),
        ({"json": {"done": "true"}}, True),
        ({"json": {"done": 1}}, False),
        ({"json": {"nothing": {"exists": False}, "empty": {"exists": False}, "gone": {"exists": False}}}, True),
        ({"json": {"status": {"exists": True}}}, True),
        ({"json": {"errors.0": {"exists": False}}}, True),
        ({"json": {"status.length": {"exists": True}}}, False),
        ({"json": {"status": {"matches": "^(ok|sent)$"}}}, True),
        ({"json": {"nothing": {"matches": "None"}}}, False),
        ({"status": 200, "json": {"status": "ok"}, "header": {"X-State": "done"}}, True),
        ({"status": 200, "json": {"status": "no"}}, False),
    ],
)
def test_a_check_holds_where_all_of_it_does(check, expected):
    assert holds(check, parsed_answer(X_State="done")) is expected


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ({"text": "OK:17"}, True),
        ({"text": ["ok", "OK:17"]}, True),
        ({"text": "OK"}, False),
        ({"text": {"matches": "^OK:"}}, True),
        ({"text": {"matches": "^ERROR:(14|15)$"}}, False),
        ({"text": {"exists": True}}, True),
        ({"text": {"exists": False}}, False),
        ({"status": 200, "text": {"matches": "^OK"}}, True),
        ({"status": 201, "text": {"matches": "^OK"}}, False),
        ({"text": {"matches": "^OK"}, "json": {"id": {"exists": True}}}, False),
    ],
)
def test_the_text_of_an_answer_is_its_body_without_the_blanks_around_it(check, expected):
    assert holds(check, parsed_answer(b"\xef\xbb\xbf OK:17\r\n")) is expected


def test_the_text_is_read_in_its_charset():
    said = parsed_answer("ОШИБКА: 14".encode("windows-1251"), Content_Type="text/plain; charset=windows-1251")
    assert holds({"text": {"matches": "^ОШИБКА"}}, said)


@pytest.mark.parametrize("check", [{"text": {"matches": "^OK"}}, {"text": {"exists": False}}, {"text": "OK:17"}])
def test_no_text_check_holds_where_only_the_beginning_arrived(check):
    assert holds(check, parsed_answer(b"OK:17", truncated=True)) is False


def test_an_empty_text_is_one_that_does_not_exist():
    assert holds({"text": {"exists": False}}, parsed_answer(b" \r\n"))


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"status": "o', b"\xff", b"null"])
@pytest.mark.parametrize("check", [{"json": {"status": "ok"}}, {"json": {"error": {"exists": False}}}])
def test_no_json_check_holds_for_a_body_that_cannot_be_read(body, check):
    assert holds(check, parsed_answer(body)) is False


def test_no_json_check_holds_for_a_truncated_body():
    assert holds({"json": {"status": "ok"}}, parsed_answer(truncated=True)) is False


def test_of_a_list_of_checks_one_is_enough():
    checks = AnswerChecks.model_validate({"rejected_if": [{"status": 500}, {"json": {"code": 7}}]})
    assert checks.outcome(answer()) == ("rejected_if", Outcome.REJECTED)


@pytest.mark.parametrize(
    ("keys", "outcome", "check"),
    [
        ({"success_if": {"status": 200}, "rejected_if": {"status": 200}}, Outcome.DELIVERED, "success_if"),
        ({"rejected_if": {"status": 200}, "already_if": {"status": 200}}, Outcome.DELIVERED, "already_if"),
        ({"blocked_if": {"status": 200}, "throttled_if": {"status": 200}}, Outcome.THROTTLED, "throttled_if"),
        ({"retry_if": {"status": 200}, "blocked_if": {"status": 200}}, Outcome.RETRY, "retry_if"),
        ({"blocked_if": {"status": 200}, "rejected_if": {"status": 200}}, Outcome.BLOCKED, "blocked_if"),
    ],
)
def test_the_first_that_holds_decides_whatever_their_order_in_the_file(keys, outcome, check):
    assert AnswerChecks.model_validate(keys).outcome(answer()) == (check, outcome)


def test_without_a_check_that_holds_there_is_no_outcome():
    assert AnswerChecks.model_validate({"success_if": {"status": 500}}).outcome(answer()) is None
    assert AnswerChecks().outcome(answer()) is None


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ({}, "give status, header, json or text"),
        ({"text": {"matches": "("}}, "no regular expression"),
        ({"status": 20}, "no HTTP status"),
        ({"status": True}, "no HTTP status"),
        ({"status": "6xx"}, "no HTTP status"),
        ({"json": {"a..b": 1}}, "no path"),
        ({"json": {"a": {"matches": "("}}}, "no regular expression"),
        ({"json": {"a": {"exists": True, "matches": "x"}}}, "exactly one"),
        ({"json": {"a": {}}}, "exactly one"),
        ({"body": {"a": 1}}, "Extra inputs"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(check, why):
    with pytest.raises(ValidationError, match=why):
        AnswerCheck.model_validate(check)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("messages.0.id", ["m-1"]),
        ("messages.*.id", ["m-1"]),
        ("messages.*.status", ["0", "4"]),
        ("messages.0", [{"status": "0", "id": "m-1"}]),
        ("errors.*", []),
        ("nothing", []),
        ("code.0", []),
    ],
)
def test_a_path_finds_what_is_there(path, found):
    assert values_at(BODY, path) == found


@pytest.mark.parametrize(
    ("path", "text"),
    [("messages.*.id", "m-1"), ("code", "7"), ("messages", ""), ("gone", ""), (None, "")],
)
def test_an_id_is_taken_as_text(path, text):
    assert text_at(BODY, path) == text
