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
