"""Apprise: what is sent through it, what its answers mean, and that nobody loads it who does not use it."""

import asyncio
import subprocess
import sys
import threading

import pytest

from relay.errors import RejectDelivery
from relay.masking import mask_secrets
from relay.model import Outcome
from relay.sinks.apprise import settings as apprise_settings
from relay.sinks.apprise import sink as apprise_sink
from relay.sinks.apprise.sink import AppriseSink, Notified
from tests.unit.sinks.configured import mistakes

URL = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"


def sink(url=URL, **settings) -> AppriseSink:
    return AppriseSink("chat", AppriseSink.Settings(**{"type": "apprise", "url": url, **settings}))


@pytest.fixture
def send(delivery):
    def send(**settings):
        chat = sink(**settings)
        return asyncio.run(chat.send(delivery(chat.content({"text": "Won"})), None))

    return send


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"text": " "}, "text: there is none"),
        ({"text": []}, "text: it takes a text"),
        ({"level": "loud"}, "level: 'loud'"),
    ],
)
def test_what_can_never_be_sent_is_refused(params, problem):
    with pytest.raises(RejectDelivery, match=problem):
        sink().content({"text": "Won", **params})


@pytest.mark.parametrize(
    ("notified", "outcome", "reason"),
    [
        (Notified(delivered=True, log=""), Outcome.DELIVERED, "sent by slack"),
        (Notified(delivered=False, log="Failed: 403"), Outcome.RETRY, "Failed: 403"),
        (Notified(delivered=False, log=""), Outcome.RETRY, "Apprise says that it did not arrive, and not why"),
        (Notified(delivered=None, log=""), Outcome.BLOCKED, "Apprise does not take this address of slack: check url"),
    ],
)
def test_what_apprise_says_decides(notified, outcome, reason):
    result = sink().read(notified)
    assert (result.outcome, result.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("idempotency", "outcome"), [(None, Outcome.UNKNOWN), ("none", Outcome.UNKNOWN), ("honoured", Outcome.RETRY)]
)
def test_one_that_hangs_holds_up_nobody_and_idempotency_decides(send, monkeypatch, idempotency, outcome):
    goes_on = threading.Event()
    monkeypatch.setattr(apprise_sink, "notify", lambda *_: goes_on.wait(20))
    result = send(timeout="30ms", idempotency=idempotency)
    goes_on.set()
    assert (result.outcome, result.reason) == (outcome, "Apprise gave no answer in time")


def test_an_error_within_apprise_is_no_error_of_the_worker(send, monkeypatch):
    def fail(*_):
        raise KeyError("x")

    monkeypatch.setattr(apprise_sink, "notify", fail)
    assert send().outcome is Outcome.UNKNOWN


def test_an_extra_that_was_removed_blocks(send, monkeypatch):
    def fail():
        raise ModuleNotFoundError("No module named 'apprise'")

    monkeypatch.setattr(apprise_sink, "_apprise", fail)
    result = send()
    assert (result.outcome, "pip install 'amo-relay[apprise]'" in result.reason) == (Outcome.BLOCKED, True)


def test_all_of_the_address_but_its_service_is_a_secret():
    chat = sink()
    assert chat.describe(chat.content({"text": "Won", "title": "A\nB"})) == {
        "service": "slack://***", "title": "A B", "text": "Won", "level": "info",
    }  # fmt: skip
    shown = mask_secrets(f"{URL} T1JJ3T3L2 TIiajkdnlazkcOXrIdevi7FQ", chat.hidden_anywhere)
    assert not any(part in shown for part in ("T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ"))
    assert chat._settings.servers == ("slack://",)
    assert sink("json://user:s3cret@hooks.example.com:8080/path")._settings.servers == (
        "json://hooks.example.com:8080",
    )


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # Apprise's own, when it is imported
def test_the_probe_asks_apprise_and_calls_nobody():
    right = asyncio.run(sink().probe(None))
    assert (right.ok, right.message) == (True, "Apprise takes the address of slack; nobody was called")
    unknown = asyncio.run(sink("slak://a/b/c").probe(None))
    assert (unknown.ok, unknown.message) == (False, "Apprise does not take this address: it knows no slak://")
    part = asyncio.run(sink("slack://T1").probe(None))
    assert (part.ok, "parts of what slack:// needs are missing" in part.message) == (False, True)


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("url: 'slack'", "f:2:36: url: it is no address of Apprise"),
        ("url: 'slack://a b'", "f:2:36: url: it is no address of Apprise"),
        ("url: 'slack://a/b/c', proxy: false", "f:2:60: proxy: Apprise calls by itself"),
        ("urls: ['slack://a/b/c']", "f:2:31: unknown key urls, did you mean url?"),
    ],
)
def test_each_mistake_is_told_at_its_place(written, mistake):
    found = mistakes(f"sinks: {{chat: {{type: apprise, {written}}}}}")
    assert any(told.startswith(mistake) for told in found), found


def test_check_says_where_the_extra_is_missing(monkeypatch):
    monkeypatch.setattr(apprise_settings, "find_spec", lambda _: None)
    (told,) = mistakes(f"sinks: {{chat: {{type: apprise, url: '{URL}'}}}}")
    assert told.endswith("the sink apprise is an extra that is not installed here: pip install 'amo-relay[apprise]'")


def test_it_is_imported_with_the_first_message_and_not_before():
    script = (
        "import sys; from relay.sinks.apprise.sink import AppriseSink as S; "
        f"s = S('a', S.Settings(type='apprise', url={URL!r})); s.content({{'text': 'x'}}); "
        "print({'apprise', 'requests'} & sys.modules.keys())"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
