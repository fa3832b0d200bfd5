"""Telegram: what is sent, how values within markup are escaped, and what each answer means."""

from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import RejectDelivery
from relay.masking import mask_secrets
from relay.model import Outcome
from relay.sandbox.vendors.base import VendorRequest
from relay.sandbox.vendors.telegram import FakeTelegram
from relay.sinks.telegram.content import MAX_LENGTH, cut_text, read_content, utf16_length
from relay.sinks.telegram.sink import TelegramSink
from relay.transport import TransportFailure
from tests.unit.sinks.configured import configured, mistakes, rendered
from tests.unit.sinks.scripted_vendor import response

TOKEN = "1234567890:AAE-secret_part-of_the-token"
CHAT = "-1001234567890"
LOST = TransportFailure(kind="reset", reason="they closed the connection", sent=True)
UNSENT = TransportFailure(kind="connect", reason="cannot connect", sent=False)


def sink(**settings) -> TelegramSink:
    return TelegramSink(
        "chat", TelegramSink.Settings(**{"type": "telegram", "token": TOKEN, "chat_id": CHAT, **settings})
    )


def sent(params, **settings):
    telegram = sink(**settings)
    request = telegram.request(telegram.content(params))
    return request, msgspec.json.decode(request.body)


def fake(fake_telegram: FakeTelegram, request):
    """Let the fake answer a request."""
    answer = fake_telegram.answer(
        VendorRequest(
            vendor="telegram", method=request.method, path=request.url.path, query="", headers={}, body=request.body
        )
    )
    return response(answer.status, answer.content)


def outcome(status: int, description: str, params=None, parameters=None, **settings):
    telegram = sink(**settings)
    content = telegram.content({"text": "Won", **(params or {})})
    said = {"ok": False, "error_code": status, "description": description}
    return telegram.read(response(status, {**said, "parameters": parameters} if parameters else said), content)


# What is sent.


def test_a_message_goes_to_the_sinks_chat_and_topic():
    request, body = sent({"text": "Won"}, message_thread_id=7, disable_notification=True)
    assert (request.method, str(request.url)) == ("POST", f"https://api.telegram.org/bot{TOKEN}/sendMessage")
    assert body == {"chat_id": CHAT, "text": "Won", "message_thread_id": 7, "disable_notification": True}


def test_a_route_may_say_another_chat_and_then_the_sinks_topic_is_not_its():
    assert sent({"text": "Won", "chat_id": 5}, message_thread_id=7)[1] == {"chat_id": "5", "text": "Won"}
    assert sent({"text": "Won", "chat_id": "@acme_sales", "message_thread_id": "3"})[1]["message_thread_id"] == 3


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"text": " "}, "text: there is none"),
        ({"text": ["a"]}, "text: there is none"),
        ({"text": "Won", "chat_id": "acme"}, "chat_id: 'acme' is no chat"),
        ({"text": "Won", "chat_id": ""}, "chat_id: '' is no chat"),
        ({"text": "Won", "chat_id": True}, "chat_id: True is no chat"),
        ({"text": "Won", "message_thread_id": "no"}, "message_thread_id: 'no' is no topic"),
    ],
)
def test_what_can_never_be_sent_is_refused(params, problem):
    with pytest.raises(RejectDelivery, match=problem):
        sink().content(params)


def test_without_any_chat_there_is_nobody_to_send_to():
    with pytest.raises(RejectDelivery, match="neither the route nor the sink has one"):
        sink(chat_id=None).content({"text": "Won"})


# Markup: whatever a name holds, the message keeps its form.

WITH_MARKUP = {
    "HTML": "<b>{{ lead.name }}</b> won",
    "MarkdownV2": "*{{ lead.name }}* won\\\\!",
}


class View(dict):
    custom = MappingProxyType({})

    def __getattr__(self, name):
        return self[name]


@pytest.mark.parametrize("mode", WITH_MARKUP)
@settings(max_examples=30, deadline=None)
@given(name=st.text("<>&\"'_*[]()~`>#+-=|{}.!\\/ab 1\n", min_size=1, max_size=12).filter(str.strip))
def test_no_name_breaks_a_message(mode, name):
    config = configured(
        f'sinks: {{chat: {{type: telegram, token: "{TOKEN}", chat_id: "{CHAT}", parse_mode: {mode}}}}}\n'
        f'routes: [{{name: won, on: status_lead, to: chat, text: "{WITH_MARKUP[mode]}"}}]'
    )
    params = rendered(config, lead=View(name=name))
    vendor = FakeTelegram("telegram")
    answer = fake(vendor, sent(params, parse_mode=mode)[0])
    assert answer.status == 200, answer.body
    assert len(vendor.messages) == 1


def test_the_fake_refuses_what_is_not_escaped():
    vendor = FakeTelegram("telegram")
    for mode, text in (("HTML", "<b>A <x></b>"), ("HTML", "<b>A"), ("MarkdownV2", "A. B"), ("MarkdownV2", "a_b")):
        telegram = sink(parse_mode=mode)
        content = telegram.content({"text": text})
        result = telegram.read(fake(vendor, telegram.request(content)), content)
        assert (result.outcome, "can't parse entities" in result.reason) == (Outcome.REJECTED, True)


def test_sinks_of_one_route_are_written_in_the_same_markup():
    found = mistakes(
        'sinks: {a: {type: telegram, token: "1:abc", parse_mode: HTML}, b: {type: telegram, token: "1:abc"}}\n'
        'routes: [{name: won, on: status_lead, to: [a, b], text: "{{ lead.name }}"}]'
    )
    assert found == [
        "f:3:51: text: its sinks want it written differently (a: html, b: plain text): make a route for each"
    ]


# Texts that are too long.


@settings(max_examples=20, deadline=None)
@given(st.text(st.sampled_from("a😀б \n"), min_size=MAX_LENGTH // 2, max_size=MAX_LENGTH // 2 + 40))
def test_a_cut_text_is_a_beginning_of_it_that_fits(text):
    cut = cut_text(text, 1000)
    assert utf16_length(cut) <= 1000
    assert cut.endswith("…")
    assert text.startswith(cut[:-1])


def test_it_is_cut_behind_a_word():
    assert cut_text("one two three", 9) == "one two…"
    assert cut_text("one two three", 8) == "one two…"
    assert cut_text("one two three", 7) == "one…"
    assert cut_text("onetwothree", 7) == "onetwo…"


@pytest.mark.parametrize("mode", [None, "HTML", "MarkdownV2"])
def test_a_long_text_is_cut_sent_plain_and_told(mode):
    telegram = sink(parse_mode=mode)
    text = {"HTML": "<b>a&lt;b</b> ", "MarkdownV2": "*a\\.b* ", None: "a b "}[mode] * 2000
    content = telegram.content({"text": text})
    vendor = FakeTelegram("telegram")
    result = telegram.read(fake(vendor, telegram.request(content)), content)
    assert (result.outcome, result.reason) == (Outcome.DELIVERED, "sent, cut to 4096 characters")
    assert vendor.messages[0].parse_mode == ""
    assert read_content(content).cut
    assert "4096" in str(telegram.describe(content)["cut"])


def test_markup_does_not_count():
    telegram = sink(parse_mode="HTML")
    assert not read_content(telegram.content({"text": "<b>x</b>" * 4096})).cut


def test_check_tells_of_a_constant_text_that_would_be_cut():
    assert "4097 characters" in (TelegramSink.check_constant("text", "x" * 4097) or "")
    assert TelegramSink.check_constant("text", "x" * 4096) is None
    assert TelegramSink.check_constant("text", "{{ lead.name }}" * 999) is None


# What answers mean.

OF_THE_CHAT = [
    (400, "Bad Request: chat not found"),
    (403, "Forbidden: bot was blocked by the user"),
    (403, "Forbidden: bot was kicked from the supergroup chat"),
    (400, "Bad Request: not enough rights to send text messages to the chat"),
    (400, "Bad Request: message thread not found"),
    (400, "Bad Request: TOPIC_CLOSED"),
]


@pytest.mark.parametrize(("status", "said"), OF_THE_CHAT)
def test_a_chat_that_is_closed_to_the_bot_blocks_the_sink_or_the_route_that_named_it(status, said):
    assert (outcome(status, said).outcome, outcome(status, said).scope) == (Outcome.BLOCKED, "sink")
    assert outcome(status, said, {"chat_id": "5"}).scope == "route"


@pytest.mark.parametrize(("status", "said"), [(401, "Unauthorized"), (404, "Not Found")])
def test_a_wrong_token_blocks_the_sink_whatever_chat_it_is(status, said):
    result = outcome(status, said, {"chat_id": "5"})
    assert (result.outcome, result.scope) == (Outcome.BLOCKED, "sink")
    assert "@BotFather" in result.reason


def test_a_group_that_moved_says_where():
    parameters = {"migrate_to_chat_id": -100777}
    result = outcome(400, "Bad Request: group chat was upgraded to a supergroup chat", parameters=parameters)
    assert result.outcome is Outcome.BLOCKED
    assert result.reason.endswith("write chat_id: -100777")


@pytest.mark.parametrize(
    ("parameters", "after_ms"), [({"retry_after": 5}, 5000), ({}, None), ({"retry_after": "x"}, None)]
)
def test_too_many_messages_wait_as_long_as_they_say(parameters, after_ms):
    result = outcome(429, "Too Many Requests: retry after 5", parameters=parameters)
    assert (result.outcome, result.after_ms) == (Outcome.THROTTLED, after_ms)


@pytest.mark.parametrize("said", ["Bad Request: message text is empty", "Bad Request: can't parse entities: x"])
def test_another_error_is_about_this_message(said):
    assert outcome(400, said).outcome is Outcome.REJECTED


UNCLEAR = [
    LOST,
    response(502, b"<html>"),
    response(500, {"ok": False, "description": "x"}),
    response(200, b"{"),
    response(200, []),
]


@pytest.mark.parametrize("answer", UNCLEAR)
@pytest.mark.parametrize(
    ("idempotency", "expected"), [(None, Outcome.UNKNOWN), ("none", Outcome.UNKNOWN), ("honoured", Outcome.RETRY)]
)
def test_whether_what_may_have_arrived_is_sent_again_is_for_idempotency_to_say(answer, idempotency, expected):
    telegram = sink(idempotency=idempotency)
    assert telegram.read(answer, telegram.content({"text": "Won"})).outcome is expected


def test_what_did_not_leave_is_sent_again():
    assert sink().read(UNSENT, sink().content({"text": "Won"})).outcome is Outcome.RETRY


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (response(429, b""), Outcome.THROTTLED),
        (response(403, b"<html>"), Outcome.BLOCKED),
        (response(302, b""), Outcome.BLOCKED),
    ],
)
def test_what_is_not_telegrams_answer_is_about_the_address(answer, expected):
    assert sink().read(answer, sink().content({"text": "Won"})).outcome is expected


# Limits, secrets, the probe, the settings.


def test_the_chats_and_the_bots_limits_are_shared_by_all_sinks_with_the_token():
    first, second, other = sink().limits, sink(rate="20/1m").limits, sink(token="1:other").limits
    assert [(limit.count, limit.per_ms) for limit in first] == [(1, 1000), (30, 1000)]
    assert [limit.key for limit in first] == [limit.key for limit in second] != [limit.key for limit in other]
    assert (second[0].count, second[0].per_ms) == (20, 60_000)
    assert [(limit.count, limit.per_ms) for limit in sink(chat_id=None).limits] == [(30, 1000)]
    assert TOKEN.partition(":")[2] not in str(first)


def test_the_token_is_shown_nowhere():
    telegram = sink(url="https://proxy.example.com/telegram")
    request = telegram.request(telegram.content({"text": "Won"}))
    quoted = (
        f"{request!r} {request.url} {TOKEN.partition(':')[2]} {telegram.describe(telegram.content({'text': 'Won'}))}"
    )
    shown = mask_secrets(quoted, telegram.hidden_anywhere)
    assert TOKEN.partition(":")[2] not in shown
    assert TOKEN.partition(":")[2] not in mask_secrets(f"{request.url}")  # by its place alone, too
    assert TOKEN not in str(telegram.describe(telegram.content({"text": "Won"})))


def test_the_probe_names_the_bot_or_says_what_is_wrong():
    vendor, telegram = FakeTelegram("telegram"), sink()
    right = telegram.read_probe(fake(vendor, telegram._request("GET", "getMe", b"")))
    assert (right.ok, right.message) == (
        True, f"the token is of the bot @relay1234567890_bot; messages go to the chat {CHAT}"
    )  # fmt: skip
    wrong = sink(token="1:wrong")
    refused = wrong.read_probe(fake(vendor, wrong._request("GET", "getMe", b"")))
    assert (refused.ok, refused.message) == (
        False, "401: Unauthorized: the token is wrong: ask @BotFather for it again"
    )  # fmt: skip
    assert telegram.read_probe(UNSENT).message == "cannot connect"


def test_the_fake_limits_a_chat():
    now = [0.0]
    vendor, telegram = FakeTelegram("telegram", lambda: now[0]), sink()
    content = telegram.content({"text": "Won"})
    results = [telegram.read(fake(vendor, telegram.request(content)), content) for _ in range(21)]
    assert [result.outcome for result in results] == [Outcome.DELIVERED] * 20 + [Outcome.THROTTLED]
    assert results[-1].after_ms == 1000
    now[0] = 1.0
    assert telegram.read(fake(vendor, telegram.request(content)), content).outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        (
            'token: "bot123:abc"',
            "f:2:39: token: it is no bot's token: @BotFather gives it, a number, a colon and a key",
        ),
        ('token: "1:abc", chat_id: "acme"', "f:2:57: chat_id: 'acme' is no chat: write its id in quotes"),
        ('token: "1:abc", chat: "5"', "f:2:48: unknown key chat, write chat_id"),
        ('token: "1:abc", parse_mode: html', "f:2:60: parse_mode: 'html' is unknown, did you mean HTML?"),
        ('token: "1:abc", on_unknown: lookup', "f:2:15: chat: on_unknown: lookup is not possible"),
        ("chat_id: 5", "f:2:9: token is missing"),
    ],
)
def test_each_mistake_is_told_at_its_place(written, mistake):
    (told,) = mistakes(f"sinks: {{chat: {{type: telegram, {written}}}}}")
    assert told.startswith(mistake)
