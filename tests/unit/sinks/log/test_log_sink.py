"""The sink for trying out."""

import asyncio

import structlog

from relay.model import Outcome
from relay.sinks.log.settings import LogSettings
from relay.sinks.log.sink import LogSink

PARAMS = {"phone": "+79161234567", "text": "Сделка"}


def sent(delivery, **settings):
    sink = LogSink("tryout", LogSettings(type="log", **settings))
    with structlog.testing.capture_logs() as lines:
        result = asyncio.run(sink.send(delivery(sink.content(PARAMS)), None))
    return result, lines


def test_it_logs_keys_and_sizes_and_delivers(delivery):
    result, (line,) = sent(delivery)
    assert result.outcome is Outcome.DELIVERED
    assert (line["event"], line["delivery_id"]) == ("sink.log", delivery().id)
    assert line["sizes"] == {"phone": 14, "text": 14}
    assert "7916" not in repr(line)


def test_it_shows_the_content_where_the_operator_asks(delivery):
    _, (line,) = sent(delivery, show=True)
    assert line["content"] == PARAMS


def test_it_is_safe_to_repeat(delivery):
    assert LogSink("tryout", LogSettings(type="log")).repeatable(delivery())
