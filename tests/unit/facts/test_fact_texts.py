"""A fact is ready to be sent: a title, its cause and a link, in English and Russian."""

import re

import pytest

from relay.errors import Malformed
from relay.events import fields_of_views, view_named, views_of
from relay.facts.body import decode_fact, encode_fact
from relay.facts.kinds import ANSWER, FACT_VIEWS, FACTS, OWN_SOURCE
from relay.facts.settings import FactSettings
from relay.facts.texts import TITLES
from relay.model import Event, Receipt

VIEWS = {
    "delivery": {"id": "d1", "route": "invoices", "sink": "books", "source": "acme", "reason": "422", "state": "dead"},
    "sink": {"name": "books", "type": "http", "reason": "401: wrong key", "closed_by": "answer"},
    "source": {"name": "acme"},
    "problem": {"kind": "x", "subject": "acme", "found": "as it is", "cause": ""},
}


def event_of(name: str, **fact: str) -> Event:
    views = {view: VIEWS[view] for view in FACT_VIEWS[FACTS[name].view] if view != "fact"}
    body = encode_fact(name, {**views, "fact": fact}, 1_767_225_600_000)
    _, (event,) = decode_fact(Receipt(id="r", source=OWN_SOURCE, received_at=1, body=body))
    return event


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize("count", ["1", "12"])
def test_every_kind_has_its_texts_in_both_languages(name: str, count: str) -> None:
    texts = {}
    for language in ("en", "ru"):
        settings = FactSettings(language=language, pages="https://relay.example.com")
        fact = views_of(event_of(name, count=count), settings)[1]["fact"]
        title, *others = str(fact["text"]).splitlines()
        assert title == fact["title"]
        assert others[-1] == fact["link"]
        assert str(fact["link"]).startswith("https://relay.example.com/admin/")
        assert (count in title) is (count != "1")
        texts[language] = title
    assert re.search("[а-я]", texts["ru"])
    assert not re.search("[а-я]", texts["en"])


def test_both_languages_have_the_same_texts() -> None:
    assert TITLES["en"].keys() == TITLES["ru"].keys()


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_has_the_views_that_are_checked_and_no_other(name: str) -> None:
    main, views = views_of(event_of(name), FactSettings())
    assert views.keys() == fields_of_views(name).keys() - {ANSWER}  # which only a stored receipt has
    assert main is views[view_named(name)]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("delivery_dead", "/admin/deliveries/d1"),
        ("sink_closed", "/admin/sinks/books"),
        ("source_silent", "/admin/sources/acme"),
        ("store_nearly_full", "/admin/system"),
        ("drift", "/admin/problems"),
        ("budget_reached", "/admin/sinks/acme"),
    ],
)
def test_a_fact_leads_to_its_page(name: str, path: str) -> None:
    assert views_of(event_of(name), FactSettings())[1]["fact"]["link"] == path


@pytest.mark.parametrize("body", [b"", b"{}", b'{"fact":{"kind":"of_a_later_release"}}', b'{"fact":7}'])
def test_what_a_later_release_wrote_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="no fact of the relay"):
        decode_fact(Receipt(id="r", source=OWN_SOURCE, received_at=1, body=body))


@pytest.mark.parametrize(
    ("sink", "title"),
    [
        ({"route": "", "closed_by": "answer"}, "books refuses everything, what is for it waits"),
        ({"route": "", "closed_by": "breaker"}, "books is down, what is for it waits"),
        ({"route": "invoices", "closed_by": "answer"}, "books refuses everything of the route invoices, it waits"),
    ],
)
def test_what_closed_a_gate_and_whose_is_in_the_title(sink: dict[str, str], title: str) -> None:
    body = encode_fact("sink_closed", {"sink": {"name": "books", "reason": "401", **sink}}, 1)
    _, (event,) = decode_fact(Receipt(id="r", source=OWN_SOURCE, received_at=1, body=body))
    assert views_of(event, FactSettings())[1]["fact"]["title"] == title


SILENT = {
    "kind": "source-silent", "subject": "acme", "found": "silent for 3h 5m, usual pause 5m 0s, no hook yet",
    "means": "by its rhythm a hook should have come within 4h 0m", "advice": "connect it", "cause": "",
}  # fmt: skip


def russian(name: str, **views: dict[str, str]):
    body = encode_fact(name, views, 1_767_225_600_000)
    _, (event,) = decode_fact(Receipt(id="r", source=OWN_SOURCE, received_at=1, body=body))
    return views_of(event, FactSettings(language="ru"))


def test_what_the_relay_says_of_a_problem_is_in_the_language_of_facts() -> None:
    main, views = russian("source_silent", source={"name": "acme"}, problem=SILENT)
    said = views["problem"]
    assert said.get("found") == "молчит 3 ч 5 мин, обычная пауза 5 мин, хуков ещё не было"
    assert said.get("means") == "по ритму хук должен был прийти за 4 ч"
    assert said.get("kind") == "source-silent"
    assert "молчит 3 ч 5 мин" in str(views["fact"].get("text"))
    assert main.get("name") == "acme"


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("gave up after 12 attempts: no answer in time", "прекращено после 12-й попытки: ответа не было вовремя"),
        ("gave up after 3 attempts: 500: sorry", "прекращено после 3-й попытки: 500: sorry"),
        ("422: sorry", "422: sorry"),  # what others say stays
    ],
)
def test_conditions_read_a_reason_as_it_is_and_templates_in_the_language_of_facts(reason: str, text: str) -> None:
    delivery = {**VIEWS["delivery"], "reason": reason}
    main, views = russian("delivery_dead", delivery=delivery, sink=VIEWS["sink"], source=VIEWS["source"])
    assert (main.get("reason"), views["delivery"].get("reason")) == (reason, text)
    assert str(views["fact"].get("text")).splitlines()[1] == f"invoices: {text}"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ("87% of maxmemory: 870 MiB used of 1000 MiB, full in about 3 days at this rate",
         "87% от maxmemory: занято 870 МиБ из 1000 МиБ, при таком росте заполнится примерно через 3 д"),
        ("500 were sent today, the limit per_day", "сегодня отправлено 500, это предел per_day"),
        ("status 142 Успех is gone", None),
        ("7 of 10 attempts failed within 1m 0s, the last: 500: sorry",
         "не удались 7 из 10 попыток за 1 мин, последняя: 500: sorry"),
        ("route won at relay.yaml:3:5, route lost at relay.yaml:4:9",
         "маршрут won, relay.yaml:3:5; маршрут lost, relay.yaml:4:9"),
    ],
)  # fmt: skip
def test_sizes_times_and_places_are_said_in_russian(found: str, text: str | None) -> None:
    _, views = russian("drift", problem={**SILENT, "found": found})
    said = str(views["problem"].get("found"))
    assert said == text if text else re.search("[а-я]", said.replace("Успех", ""))
