"""SMS.ru: what is sent, and every code of an answer."""

import asyncio

import pytest

from relay.model import Outcome
from relay.sinks.base import ProbeResult
from relay.sinks.sms.smsru import Smsru, SmsruSettings
from relay.transport import TransportFailure

NOW = 1_790_000_000.0  # 17:13:20 in Moscow
LOST = TransportFailure(kind="reset", reason="reset", sent=True)


class Scripted(Smsru):
    """Records what is posted, and answers by a script."""

    def __init__(self, *answers) -> None:
        super().__init__(SmsruSettings(type="smsru", api_id="the-api-id"))
        self.answers = list(answers)
        self.posted = []

    async def post(self, tools, url, form):
        self.posted.append((url, dict(form)))
        return self.answers.pop(0)


def about(code: int, **more) -> dict:
    """Return an answer with a code for the number, under a top-level OK."""
    number = {"status": "OK" if code == 100 else "ERROR", "status_code": code, **more}
    return {"status": "OK", "status_code": 100, "sms": {"79161234567": number}, "balance": 4122.56}


@pytest.fixture
def send(message, tools, answer):
    def send(content, **more):
        reply = content if isinstance(content, TransportFailure) else answer(content)
        return asyncio.run(Scripted(reply).send(message(**more), tools))

    return send


CODES = [
    (100, Outcome.DELIVERED),
    *[(code, Outcome.BLOCKED) for code in (200, 201, 204, 206, 210, 211, 300, 301, 302)],
    *[(code, Outcome.REJECTED) for code in (202, 203, 205, 207, 208, 212, 213, 230, 231, 232, 233)],
    (209, Outcome.SKIPPED),
    (220, Outcome.RETRY),
    (500, Outcome.UNKNOWN),
    (999, Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("code", "outcome"), CODES)
def test_the_code_of_the_number_decides(send, code, outcome):
    result = send(about(code))
    assert result.outcome is outcome
    assert result.reason.startswith(f"{code}: ")


@pytest.mark.parametrize(("code", "outcome"), [pair for pair in CODES if pair[0] != 100])
def test_a_request_that_was_refused_has_only_its_own_code(send, code, outcome):
    assert send({"status": "ERROR", "status_code": code, "status_text": "почему"}).outcome is outcome


@pytest.mark.parametrize(
    "reply",
    [
        {"status": "OK", "status_code": 100},
        {"status": "OK", "status_code": 100, "sms": {}},
        {"status": "OK", "status_code": 100, "sms": []},
        {"status": "OK", "status_code": 100, "sms": {"79161234567": "OK"}},
        {"status": "OK", "status_code": 100, "sms": {"79161234567": {"status": "OK"}}},
        {},
        [],
        b"100\n000000-10000000",
        LOST,
    ],
)
def test_an_ok_without_the_number_is_unknown(send, reply):
    assert send(reply).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("code", [231, 232])
@pytest.mark.parametrize(("again", "outcome"), [(True, Outcome.DELIVERED), (False, Outcome.REJECTED)])
def test_the_same_text_was_there_already_only_if_we_may_have_sent_it(send, code, again, outcome):
    assert send(about(code), maybe_sent_before=again).outcome is outcome


def test_the_days_limit_ends_with_their_day(send):
    result = send(about(206))
    assert result.after_ms == (6 * 3600 + 46 * 60 + 40) * 1000  # until midnight in Moscow


def test_what_is_sent(message, tools, answer):
    gateway = Scripted(answer(about(100, sms_id="000000-10000000", cost=3.5)))
    result = asyncio.run(gateway.send(message(sender="ACME"), tools))
    assert gateway.posted == [
        (
            "https://sms.ru/sms/send",
            {"api_id": "the-api-id", "json": "1", "to": "79161234567", "msg": "Заказ готов", "from": "ACME"},
        )
    ]
    assert (result.provider_id, result.segments, result.cost) == ("000000-10000000", 1, "3.5")


def test_their_answer_is_kept_without_the_number(send):
    result = send(about(202, status_text="the-api-id 79161234567"))
    assert "79161234567" not in repr(result)
    assert "the-api-id" not in repr(result)


def test_what_is_unknown_is_held_since_they_cannot_be_asked():
    assert SmsruSettings(type="smsru", api_id="k").action_on_unknown == "hold"


@pytest.mark.parametrize(
    ("reply", "probe"),
    [
        (
            {"status": "OK", "status_code": 100, "balance": 4122.56},
            ProbeResult(ok=True, message="the balance is 4122.56"),
        ),
        (
            {"status": "ERROR", "status_code": 301},
            ProbeResult(ok=False, message="301: wrong credentials: check the api_id"),
        ),
        (
            b"<html>",
            ProbeResult(
                ok=False,
                message="200: the answer cannot be read: it is a page (HTML or XML), no JSON: check the sink's url and "
                "the network",
            ),
        ),
    ],
)
def test_a_probe_tells_the_balance_or_what_is_wrong(tools, answer, reply, probe):
    gateway = Scripted(answer(reply))
    assert asyncio.run(gateway.probe(tools)) == probe
    assert gateway.posted == [("https://sms.ru/my/balance", {"api_id": "the-api-id", "json": "1"})]
