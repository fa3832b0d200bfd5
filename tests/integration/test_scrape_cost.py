"""What a scrape of /metrics asks the store depends on what there is of sinks and sources, never on deliveries."""

from types import SimpleNamespace

import pytest

from relay.config.load import load
from relay.sinks.registry import sink_types
from relay.web.metrics.endpoint import read_metrics
from tests.bench.lists import fill

YAML = """
sources:
  acme: {type: amocrm, token: a-token-of-sixteen}
sinks:
  books: {type: http, idempotency: honoured, url: "https://books.example.com"}
routes:
  - {name: invoices, on: add_lead, to: books, path: /invoices, body: {lead: "{{ lead.id }}"}}
"""
MOST = 120  # commands, with three sinks and a source


@pytest.fixture
def scrape(run, reader, spent):
    """Return a function that scrapes, and returns how many script calls and commands that took."""
    live = SimpleNamespace(config=load(YAML, file="f", environ={}, sink_types=sink_types()), error=None)

    def commands() -> tuple[int, int]:
        spent()
        assert run(read_metrics(reader, live))
        return spent()

    return commands


def test_ten_times_the_deliveries_take_as_many_commands(run, store, scrape):
    run(fill(store, 60))
    scrape()  # the store knows its script from now on
    few = scrape()
    run(fill(store, 600))
    assert scrape() == few
    scripts, commands = few
    assert scripts == 1  # which reads the sinks
    assert commands <= MOST
