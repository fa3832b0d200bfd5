"""Retention by state and source: what is written there is checked, and what is left out is as before."""

import pytest

from relay.config.load import load
from relay.config.schema import RetentionSection
from relay.errors import ConfigError
from relay.sinks.registry import sink_types
from relay.store.kept_ages import kept_ages

DAY = 86_400_000
CONFIG = "sources: {{acme: {{type: amocrm, token: a-token-of-sixteen}}}}\nretention: {retention}\n"


def test_by_default_there_is_one_age_for_what_ended_and_one_for_dead_letters() -> None:
    ages = kept_ages(RetentionSection())
    assert (ages.finished.longest, ages.finished.shorter) == (7 * DAY, [])
    assert (ages.dead.longest, ages.dead.shorter) == (30 * DAY, [])


@pytest.mark.parametrize(
    ("source", "states", "days"),
    [
        ("acme", ["delivered"], 3), ("acme", ["skipped"], 9), ("acme", ["delivered", "skipped"], 9),
        ("other", ["delivered"], 5), ("other", ["skipped"], 7), ("other", ["malformed"], 1), ("acme", ["malformed"], 9),
        ("third", ["malformed"], 1), ("third", ["delivered"], 2),
    ],
)  # fmt: skip
def test_a_source_goes_before_what_is_for_all(source: str, states: list[str], days: int) -> None:
    given = {"delivered": "5d", "malformed": "1d"}
    sources = {"acme": {"finished": "9d", "delivered": "3d"}, "third": {"delivered": "2d"}}
    ages = kept_ages(RetentionSection.model_validate({**given, "sources": sources}))
    assert ages.age_of(source, states) == days * DAY


def test_a_source_that_there_is_not_is_an_error() -> None:
    text = CONFIG.format(retention="{sources: {acne: {dead: 90d}}}")
    with pytest.raises(ConfigError, match=r"relay.yaml:2:23: .*unknown source acne, did you mean acme"):
        load(text, file="relay.yaml", environ={}, sink_types=sink_types())
