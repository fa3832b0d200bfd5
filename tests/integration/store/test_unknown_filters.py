"""A search for what has never been here says so, with the name that was meant."""

import pytest

from relay.operations.search import EventFilter
from relay.operations.unknown_filters import unknown_filters


@pytest.fixture
def hints(run, store, reader, given):
    """Return the hints for a filter, of a store with a sink and an event."""
    run(store.registry.add_sinks({"accounting": "http"}))
    given.pending()
    return lambda **names: run(unknown_filters(reader, EventFilter(**names)))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"sink": "acounting"}, ["no sink acounting has been here: did you mean accounting?"]),
        ({"source": "akme"}, ["no source akme has been here: did you mean acme?"]),
        ({"route": "invoises"}, ["no route invoises has been here: did you mean invoices?"]),
        ({"event": "add_leed"}, ["no event add_leed has been here: did you mean add_lead?"]),
        ({"sink": "accounting", "source": "acme", "event": "add_lead", "route": "invoices"}, []),
        ({"event": "delete_task"}, []),  # it has not come yet
        ({}, []),
    ],
)
def test_a_name_that_nothing_has_comes_with_the_nearest(hints, names, expected):
    assert hints(**names) == expected
