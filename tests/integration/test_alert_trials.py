"""`relay alerts test`: a sample fact through each sink that alerts go to, and what each answers."""

from collections.abc import Callable

import pytest

from relay.config.config import Config
from relay.config.load import load
from relay.errors import ConfigError
from relay.facts.kinds import DELIVERED, FACTS
from relay.operations.alert_trial import AlertTrial, alert_routes, sample_fact, try_alerts
from relay.planning.matching import event_context
from relay.sinks.registry import sink_types
from tests.integration.scripted_sink import open_tools

SINKS = """
sources: {acme: {type: amocrm, token: acme-token}}
sinks:
  chat: {type: telegram, url: "%(url)s/telegram", token: "123456:any-token", chat_id: "-100", parse_mode: HTML}
  old: {type: telegram, url: "%(url)s/telegram", token: "123456:wrong", chat_id: "-100"}
  mail: {type: email, host: 127.0.0.1, port: %(smtp_port)s, tls: none, sender: a@b.example, recipients: c@d.example}
  books: {type: http, url: "%(url)s/books", idempotency: none}
routes:
"""
ALERTS = """
  - {name: by chat, on: [delivery_held, delivery_dead], where: {sink: books}, to: chat, text: "<b>{{ fact.text }}</b>"}
  - {name: by mail, on: drift, to: [mail], subject: "{{ fact.title }}", text: "{{ problem.advice }} {{ fact.text }}"}
"""
OLD = '  - {name: to the old one, on: source_silent, to: old, text: "{{ fact.text }}"}\n'
NO_ALERTS = """
  - {name: invoice, on: add_lead, to: books, body: {id: "{{ lead.id }}"}}
  - {name: what follows, on: delivered, where: {route: invoice}, to: books, body: {id: "{{ answer.id }}"}}
  - {name: tried out, on: sink_closed, to: chat, shadow: true, text: "{{ fact.text }}"}
"""


@pytest.fixture
def configured(sandbox) -> Callable[[str], Config]:
    """Return a function that loads these routes."""
    head = SINKS % {"url": sandbox.url, "smtp_port": sandbox.smtp_port}
    return lambda routes: load(head + routes, file="f", environ={}, sink_types=sink_types())


@pytest.fixture
def tried(run, store, namespace, configured) -> Callable[..., list[AlertTrial]]:
    """Return a function that sends the samples."""

    def tried(routes: str, sink: str | None = None) -> list[AlertTrial]:
        config = configured(routes)

        async def work() -> list[AlertTrial]:
            async with open_tools(store, namespace) as tools:
                return await try_alerts(config, alert_routes(config, sink), tools)

        return run(work())

    return tried


def test_each_sink_that_alerts_go_to_gets_one_sample_that_says_it_is_one(tried, sandbox):
    trials = tried(ALERTS)
    assert [(one.sink, one.type, one.route, one.fact, one.outcome) for one in trials] == [
        ("chat", "telegram", "by chat", "delivery_dead", "delivered"),
        ("mail", "email", "by mail", "drift", "delivered"),
    ]
    (message,), (mail,) = sandbox.requests("telegram"), sandbox.requests("smtp")
    assert "a-sample: a delivery was given up" in message["body"]
    assert all("this is a test: nothing has happened" in one["body"] for one in (message, mail))


def test_a_sink_that_refuses_says_why_and_another_gets_its_own_all_the_same(tried):
    trials = {one.sink: one for one in tried(ALERTS + OLD)}
    assert [one.sink for one in trials.values() if not one.delivered] == ["old"]
    assert trials["old"].reason == "401: Unauthorized: the token is wrong: ask @BotFather for it again"


def test_one_sink_may_be_asked_alone(tried, sandbox):
    assert [one.sink for one in tried(ALERTS + OLD, "old")] == ["old"]
    assert [one["stored"] for one in sandbox.requests("telegram")] == [False]


def test_a_route_that_makes_nothing_of_the_sample_is_told(tried):
    (trial,) = tried('  - {name: broken, on: drift, to: books, path: "/{{ fact.kind }}/../alerts"}\n')
    assert (trial.outcome, trial.delivered) == ("unsendable", False)


def test_without_an_alert_it_says_how_to_write_one(configured):
    config = configured(NO_ALERTS)
    with pytest.raises(
        ConfigError, match=r"no route is on a fact of the relay: write one, such as on: \[delivery_dead"
    ):
        alert_routes(config)
    with pytest.raises(ConfigError, match="no alert goes to the sink books: alerts go to chat, mail"):
        alert_routes(configured(ALERTS), "books")


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("kind", sorted(FACTS.keys() - {DELIVERED}))
def test_a_sample_of_every_kind_has_its_texts(configured, kind, language):
    config = configured(f"{ALERTS}facts: {{language: {language}}}\n")
    source = config.find_source("_relay")
    assert source is not None
    fact = event_context(sample_fact(kind, 1_790_000_000_000), source)[1]["fact"]
    assert fact["kind"] == kind
    assert "this is a test" in fact["text"]
