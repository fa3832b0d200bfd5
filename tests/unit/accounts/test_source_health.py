"""A source is silent against its own rhythm; and an outage that ended can be caught up."""

import pytest

from relay.accounts.hooks import AccountHook
from relay.accounts.source_health import MIN_SILENCE_MS, SourceHealth, add_last_hook, hook_state, update_health

MINUTE = 60_000


def health(**more) -> SourceHealth:
    return SourceHealth(**{"received": 10, "checked_at": 0, "last_at": 0, "hook": "enabled", **more})


@pytest.mark.parametrize(
    ("gaps", "maximum"),
    [
        ([], None),
        ([MINUTE] * 4, None),
        ([MINUTE] * 5, MIN_SILENCE_MS),  # five medians are five minutes, the least is fifteen
        ([10 * MINUTE] * 5, 50 * MINUTE),
        ([MINUTE, MINUTE, 10 * MINUTE, 600 * MINUTE, 600 * MINUTE], 50 * MINUTE),  # one night makes no rhythm
    ],
)
def test_silence_is_longer_than_five_median_gaps_and_a_quarter_of_an_hour(gaps, maximum):
    assert health(gaps=gaps).max_silence_ms == maximum


@pytest.mark.parametrize(("checked_at", "silent"), [(50 * MINUTE, False), (50 * MINUTE + 1, True)])
def test_it_is_silent_for_longer_than_that(checked_at, silent):
    assert health(gaps=[10 * MINUTE] * 5, checked_at=checked_at).silent is silent


def test_a_source_without_a_rhythm_is_never_silent():
    assert not health(checked_at=10**12).silent


def test_the_rhythm_is_measured_between_checks_that_found_hooks():
    now, state, received = 0, None, 0
    for n in range(120):
        now += MINUTE
        received += 3 if n % 2 else 0
        state, _ = update_health(state, received, "enabled", "", now)
    assert state.gaps == [2 * MINUTE] * 50
    assert state.last_at == now


def test_an_outage_begins_with_the_last_hook_and_ends_with_the_next():
    state = health(gaps=[10 * MINUTE] * 5, last_at=5 * MINUTE)
    state, ended = update_health(state, 10, "enabled", "", 60 * MINUTE)
    assert (state.has_outage, state.outage_since, ended) == (True, 5 * MINUTE, None)
    state, ended = update_health(state, 10, "enabled", "", 80 * MINUTE)
    assert (state.outage_since, ended) == (5 * MINUTE, None)
    state, ended = update_health(state, 11, "enabled", "", 90 * MINUTE)
    assert not state.has_outage
    assert ended is not None
    assert (ended.since, ended.until) == (5 * MINUTE, 90 * MINUTE)
    assert update_health(state, 12, "enabled", "", 91 * MINUTE)[1] is None


def test_a_disabled_hook_is_an_outage_at_once_and_enabling_it_ends_it():
    state, ended = update_health(health(last_at=2 * MINUTE), 10, "disabled", "", 3 * MINUTE)
    assert (state.has_outage, state.outage_since, ended) == (True, 2 * MINUTE, None)
    state, ended = update_health(state, 10, "enabled", "", 63 * MINUTE)
    assert not state.has_outage
    assert ended is not None
    assert ended.since == 2 * MINUTE
    assert state.last_at == 63 * MINUTE  # its silence is explained


def test_an_unknown_state_of_the_hook_ends_no_outage():
    state = health(gaps=[MINUTE] * 5, outage_since=1, checked_at=20 * MINUTE)
    state, ended = update_health(state, 10, "unknown", "429", 21 * MINUTE)
    assert (state.has_outage, state.problem, ended) == (True, "429", None)


def hook(url: str, disabled: bool = False) -> AccountHook:
    return AccountHook(url=url, events=frozenset({"add_lead"}), disabled=disabled)


@pytest.mark.parametrize(
    ("hooks", "state"),
    [
        ([], "missing"),
        ([hook("https://other.example/hooks/acme/token")], "enabled"),
        ([hook("https://relay.example/below/hooks/acme/token", disabled=True)], "disabled"),
        ([hook("https://a.example/hooks/acme/token", disabled=True), hook("https://b.example/hooks/acme/token")],
         "enabled"),
        ([hook("https://relay.example/hooks/acme/another")], "missing"),
    ],
)  # fmt: skip
def test_our_hook_is_the_one_that_leads_to_our_path(hooks, state):
    assert hook_state(hooks, ["/hooks/acme/new", "/hooks/acme/token"]) == state


def test_a_hook_since_the_check_says_more_than_the_check():
    gone = health(hook="missing", gaps=[MINUTE] * 5, checked_at=60 * MINUTE)
    assert gone.silent
    heard = add_last_hook(gone, 60 * MINUTE + 1)
    assert (heard.hook, heard.silent, heard.last_hook_at) == ("enabled", False, 60 * MINUTE + 1)


def test_a_hook_before_the_check_only_says_when_it_came():
    heard = add_last_hook(health(hook="disabled", last_at=5 * MINUTE, checked_at=6 * MINUTE), 4 * MINUTE + 7)
    assert (heard.hook, heard.last_at, heard.last_hook_at) == ("disabled", 5 * MINUTE, 4 * MINUTE + 7)
