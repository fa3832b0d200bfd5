"""What all gateways share: who gets texts, what is counted, and that no text is sent a third time."""

import asyncio
import json

import pytest
from pydantic import ValidationError

from relay.errors import RejectDelivery, SkipDelivery, StoreUnavailable
from relay.model import Outcome, Result
from relay.sinks.base import ProbeResult
from relay.sinks.registry import GATEWAYS, sink_types
from relay.sinks.sms.gateway import Gateway
from relay.sinks.sms.settings import SmsSettings
from relay.sinks.sms.sink import SmsSink, gateway_sink

PHONE = "+79161234567"
DELIVERED = Result(outcome=Outcome.DELIVERED, reason="sent", cost="3")
LOST = Result(outcome=Outcome.UNKNOWN, reason="no answer in time")


class ScriptedSettings(SmsSettings):
    @property
    def looks_up(self) -> bool:
        return True

    @property
    def action_on_unknown(self):
        return self.on_unknown or "lookup"


class Scripted(Gateway):
    """Answers by a script."""

    type = "scripted"
    Settings = ScriptedSettings
    max_characters = 300

    def __init__(self, settings) -> None:
        super().__init__(settings)
        self.sends, self.finds, self.seen = [], [], []

    @property
    def secrets(self):
        return []

    async def send(self, message, tools):
        self.seen.append(message)
        return self.sends.pop(0) if self.sends else DELIVERED

    async def lookup(self, message, tools):
        return self.finds.pop(0) if self.finds else None

    async def probe(self, tools):
        return ProbeResult(ok=True, message="the balance is 7")


@pytest.fixture
def made():
    """Make a sink with a scripted gateway."""

    def made(**settings):
        kind = gateway_sink(Scripted)
        return kind("sms", kind.Settings(type="scripted", **settings))

    return made


@pytest.fixture
def text(delivery):
    """Make a delivery of a text."""

    def text(sink, id="d-1", phone=PHONE, words="Заказ готов", **more):
        return delivery(sink.content({"phone": phone, "text": words}), id=id, **more)

    return text


def send(sink, delivery, tools, *, result=DELIVERED):
    """Admit and send as a worker does, and return the first result."""
    refused = asyncio.run(sink.admit(delivery, tools))
    if refused is not None:
        return refused
    sink._gateway.sends.append(result)
    return asyncio.run(sink.send(delivery, tools))


# What is stored.


def test_what_is_stored_is_the_number_as_e164_and_no_credentials(made):
    sink = made(sender="ACME")
    content = sink.content({"phone": "8 (916) 123-45-67", "text": "Заказ готов", "account_timezone": "Europe/Moscow"})
    assert json.loads(content) == {"phone": PHONE, "text": "Заказ готов", "account_timezone": "Europe/Moscow"}
    assert sink.describe(content) == {
        "phone": PHONE,
        "text": "Заказ готов",
        "sender": "ACME",
        "segments": 1,
        "timezone": "Europe/Moscow",
    }


@pytest.mark.parametrize(
    ("params", "error", "why"),
    [
        ({"phone": None}, SkipDelivery, "there is no number"),
        ({"phone": "84951234567"}, SkipDelivery, "landline"),
        ({"phone": "+84951234567"}, RejectDelivery, "a number of VN"),
        ({"text": ""}, RejectDelivery, "text: there is none"),
        ({"text": " \n"}, RejectDelivery, "text: there is none"),
        ({"text": None}, RejectDelivery, "text: there is none"),
        ({"text": ["a"]}, RejectDelivery, "text: there is none"),
        ({"text": True}, RejectDelivery, "text: there is none"),
        ({"text": "a" * 301}, RejectDelivery, "301 characters, and the gateway takes 300"),
        ({"text": "я" * 202}, RejectDelivery, "it would be 4 messages, and max_segments is 3"),
        ({"sender": "Двенадцать"}, RejectDelivery, "sender: 'Двенадцать' cannot be a sender"),
        ({"sender": "LongerThan11"}, RejectDelivery, "cannot be a sender"),
        ({"timezone": "MSK"}, RejectDelivery, "timezone: 'MSK' is not a time zone"),
        ({"timezone": "../etc"}, RejectDelivery, "is not a time zone"),
        ({"timezone": "Europe"}, RejectDelivery, "is not a time zone"),
    ],
)
def test_what_can_never_be_sent_says_why(made, params, error, why):
    with pytest.raises(error, match=why):
        made(max_segments=3).content({"phone": PHONE, "text": "a", **params})


@pytest.mark.parametrize(
    ("params", "stored"),
    [
        ({"text": 1500}, {"text": "1500"}),
        ({"text": "a" * 300}, {"text": "a" * 300}),
        ({"sender": "+79160000000"}, {"sender": "+79160000000"}),
        ({"sender": None, "timezone": None}, {}),
        ({"timezone": " Asia/Almaty "}, {"timezone": "Asia/Almaty"}),
    ],
)
def test_what_can_be_sent_is_stored(made, params, stored):
    assert json.loads(made().content({"phone": PHONE, "text": "a", **params})) == {
        "phone": PHONE,
        "text": "a",
        **stored,
    }


def test_a_route_may_name_its_sender(made, delivery, tools):
    sink = made(sender="ACME")
    for sender in ("", "SALES"):
        content = sink.content({"phone": PHONE, "text": "a" + sender, "sender": sender})
        send(sink, delivery(content, id="d" + sender), tools)
    assert [message.sender for message in sink._gateway.seen] == ["ACME", "SALES"]


# What counts.


def test_the_same_text_to_the_same_number_is_skipped_within_the_cooldown(made, text, tools, shared):
    sink = made()
    outcomes = [send(sink, text(sink, id), tools).outcome for id in ("d-1", "d-2")]
    assert outcomes == [Outcome.DELIVERED, Outcome.SKIPPED]
    assert send(sink, text(sink, "d-3", words="Заказ отменён"), tools).outcome is Outcome.DELIVERED
    assert send(sink, text(sink, "d-4", phone="+79261234567"), tools).outcome is Outcome.DELIVERED
    shared.now += 600
    assert send(sink, text(sink, "d-5"), tools).outcome is Outcome.DELIVERED


def test_quotas_end_with_the_day(made, text, tools, shared):
    sink = made(per_number=2, cooldown="0s", timezone="Europe/Moscow")
    outcomes = [send(sink, text(sink, f"d-{n}"), tools).outcome for n in range(3)]
    assert outcomes == [Outcome.DELIVERED, Outcome.DELIVERED, Outcome.THROTTLED]
    assert send(sink, text(sink, "other", phone="+79261234567"), tools).outcome is Outcome.DELIVERED
    shared.now += 7 * 3600  # past midnight in Moscow
    assert send(sink, text(sink, "d-2"), tools).outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    "outcome", [Outcome.RETRY, Outcome.THROTTLED, Outcome.BLOCKED, Outcome.REJECTED, Outcome.SKIPPED]
)
def test_a_text_that_was_not_accepted_is_refunded(made, text, tools, shared, outcome):
    sink = made(per_day=1)
    assert send(sink, text(sink), tools, result=Result(outcome=outcome, reason="no")).outcome is outcome
    assert not any(amount for amount, _ in shared.spent.values())
    assert send(sink, text(sink, "d-2"), tools).outcome is Outcome.DELIVERED


def test_a_text_that_may_have_been_accepted_is_counted_once_over_all_attempts(made, text, tools):
    sink = made(per_day=1)
    assert send(sink, text(sink), tools, result=LOST).outcome is Outcome.UNKNOWN
    assert send(sink, text(sink, "d-2", words="другое"), tools).outcome is Outcome.THROTTLED
    assert send(sink, text(sink), tools).outcome is Outcome.DELIVERED


def test_only_after_an_unknown_attempt_may_a_text_have_been_sent_before(made, text, tools):
    sink = made()
    send(sink, text(sink), tools, result=Result(outcome=Outcome.RETRY, reason="not taken"))
    send(sink, text(sink), tools, result=LOST)
    send(sink, text(sink), tools)
    assert [message.maybe_sent_before for message in sink._gateway.seen] == [False, False, True]


def test_the_budget_counts_what_texts_did_cost(made, text, tools, shared):
    sink = made(monthly_budget="10", segment_price="2.5", cooldown="0s")
    sent = [send(sink, text(sink, f"d-{n}"), tools) for n in range(4)]
    # 3 + 3 + 3 were charged for three, so a fourth at 2.50 is over 10.
    assert [result.outcome for result in sent] == [Outcome.DELIVERED] * 3 + [Outcome.BLOCKED]
    assert "the month's budget of 10 is used up until 2026-10-01" in sent[-1].reason
    shared.now += 10 * 86_400
    assert send(sink, text(sink, "d-3"), tools).outcome is Outcome.DELIVERED


def test_an_outcome_counts_though_the_store_is_unavailable(made, text, tools, monkeypatch):
    sink, one = made(), None
    one = text(sink)
    assert asyncio.run(sink.admit(one, tools)) is None

    async def away(*_):
        raise StoreUnavailable("away")

    monkeypatch.setattr(tools.shared, "spend_quotas", away)
    sink._gateway.sends.append(Result(outcome=Outcome.REJECTED, reason="no"))
    assert asyncio.run(sink.send(one, tools)).outcome is Outcome.REJECTED


def test_the_stop_list_is_read_as_people_write_numbers(made, text, tools):
    sink = made(stop_list=["8 916 123-45-67"])
    assert send(sink, text(sink), tools).outcome is Outcome.SKIPPED
    assert sink._gateway.seen == []


def test_before_the_window_opens_nothing_is_spent(made, text, tools, shared):
    sink = made(window="10:00-12:00", timezone="Europe/Moscow")
    assert send(sink, text(sink), tools).outcome is Outcome.THROTTLED
    assert shared.spent == {}


def test_a_latin_text_with_money_in_it_is_one_message(made):
    sink = made(max_segments=1)
    words = "Your order is ready — " + "x" * 100 + " 1\u00a0500 EUR"
    described = sink.describe(sink.content({"phone": PHONE, "text": words}))
    assert (described["text"], described["segments"]) == (words.replace("—", "-").replace("\u00a0", " "), 1)


# What may have arrived.


@pytest.mark.parametrize(
    ("since_s", "outcome", "after_ms"),
    [(15, Outcome.THROTTLED, 50_000), (64, Outcome.THROTTLED, 1_000), (65, Outcome.RETRY, None)],
)
def test_not_found_is_believed_only_after_65_seconds(made, text, tools, shared, since_s, outcome, after_ms):
    sink = made()
    waiting = text(sink, sending=True, sends=1, sent_at=int(shared.now * 1000) - since_s * 1000)
    result = asyncio.run(sink.lookup(waiting, tools))
    assert (result.outcome, result.after_ms) == (outcome, after_ms)


def test_a_text_is_sent_once_more_and_never_a_third_time(made, text, tools, shared):
    sink = made()
    waiting = text(sink, sending=True, sends=1, sent_at=int(shared.now * 1000) - 65_000)
    assert [asyncio.run(sink.lookup(waiting, tools)).outcome for _ in range(2)] == [Outcome.RETRY, Outcome.UNKNOWN]


@pytest.mark.parametrize("found", [DELIVERED, LOST, Result(outcome=Outcome.REJECTED, reason="22")])
def test_the_result_of_a_look_up_is_the_gateways(made, text, tools, found):
    sink = made()
    sink._gateway.finds.append(found)
    assert asyncio.run(sink.lookup(text(sink, sending=True), tools)) == found


def test_a_probe_is_the_gateways(made, tools):
    assert asyncio.run(made().probe(tools)) == ProbeResult(ok=True, message="the balance is 7")


# The YAML.


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"regions": ["Russia"]}, "is no region"),
        ({"regions": []}, "at least 1"),
        ({"sender": "Слишком"}, "cannot be a sender"),
        ({"window": "10-20"}, "such as 10:00-20:00"),
        ({"window": ["mon-fri 10:00-20:00", "saturday"]}, "'saturday' are no hours"),
        ({"window": []}, "at least 1 item"),
        ({"timezone": "MSK"}, "is not a time zone"),
        ({"stop_list": ["8 495 123-45-67"]}, r"\*\*\*4567 is a landline"),
        ({"monthly_budget": 100}, "monthly_budget needs segment_price"),
        ({"monthly_budget": "a lot", "segment_price": 1}, "valid decimal"),
        ({"per_day": 0}, "greater than or equal to 1"),
    ],
)
def test_a_mistake_in_the_settings_is_explained(keys, why):
    with pytest.raises(ValidationError, match=why):
        SmsSettings(type="smsc", **keys)


def test_every_gateway_is_a_type_of_sink():
    assert GATEWAYS.keys() == {"smsc", "smsru", "sms"}
    sinks = [sink_types()[name] for name in GATEWAYS]
    assert all(issubclass(sink, SmsSink) and sink.skip_if_missing == {"phone"} for sink in sinks)
