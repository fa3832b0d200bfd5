"""A source is silent against its own rhythm; and a spell of quiet that ended can be caught up."""

import pytest

from relay.accounts.hooks import AccountHook
from relay.accounts.source_health import MIN_SILENCE_MS, SourceHealth, hook_state, update_health

MINUTE = 60_000


def heard(**more) -> SourceHealth:
    return SourceHealth(**{"received": 10, "checked_at": 0, "last_at": 0, "hook": "enabled", **more})


@pytest.mark.parametrize(
    ("gaps", "patience"),
    [
        ([], None),
        ([MINUTE] * 4, None),
        ([MINUTE] * 5, MIN_SILENCE_MS),  # five medians are five minutes, the least is fifteen
        ([10 * MINUTE] * 5, 50 * MINUTE),
        ([MINUTE, MINUTE, 10 * MINUTE, 600 * MINUTE, 600 * MINUTE], 50 * MINUTE),  # one night makes no rhythm
    ],
)
def test_patience_is_five_median_gaps_and_at_least_a_quarter_of_an_hour(gaps, patience):
    assert heard(gaps=gaps).max_silence_ms == patience


@pytest.mark.parametrize(("checked_at", "silent"), [(50 * MINUTE, False), (50 * MINUTE + 1, True)])
def test_it_is_silent_for_longer_than_that(checked_at, silent):
    assert heard(gaps=[10 * MINUTE] * 5, checked_at=checked_at).silent is silent


def test_without_a_rhythm_nobody_is_silent():
    assert not heard(checked_at=10**12).silent


def test_the_rhythm_is_of_the_times_between_what_was_heard():
    now, state, received = 0, None, 0
    for n in range(120):
        now += MINUTE
        received += 3 if n % 2 else 0
        state, _ = update_health(state, received, "enabled", "", now)
    assert state.gaps == [2 * MINUTE] * 50
    assert state.last_at == now


def test_a_spell_of_silence_ends_with_the_first_hook_and_began_with_the_last():
    state = heard(gaps=[10 * MINUTE] * 5, last_at=5 * MINUTE)
    state, ended = update_health(state, 10, "enabled", "", 60 * MINUTE)
    assert (state.quiet, state.quiet_since, ended) == (True, 5 * MINUTE, None)
    state, ended = update_health(state, 10, "enabled", "", 80 * MINUTE)
    assert (state.quiet_since, ended) == (5 * MINUTE, None)
    state, ended = update_health(state, 11, "enabled", "", 90 * MINUTE)
    assert not state.quiet
    assert ended is not None
    assert (ended.since, ended.until) == (5 * MINUTE, 90 * MINUTE)
    assert update_health(state, 12, "enabled", "", 91 * MINUTE)[1] is None


def test_a_disabled_hook_is_quiet_at_once_and_enabling_it_ends_that():
    state, ended = update_health(heard(last_at=2 * MINUTE), 10, "disabled", "", 3 * MINUTE)
    assert (state.quiet, state.quiet_since, ended) == (True, 2 * MINUTE, None)
    state, ended = update_health(state, 10, "enabled", "", 63 * MINUTE)
    assert not state.quiet
    assert ended is not None
    assert ended.since == 2 * MINUTE
    assert state.last_at == 63 * MINUTE  # its silence is explained


def test_what_the_account_does_not_say_ends_nothing_that_is_silent():
    state = heard(gaps=[MINUTE] * 5, quiet_since=1, checked_at=20 * MINUTE)
    state, ended = update_health(state, 10, "unknown", "429", 21 * MINUTE)
    assert (state.quiet, state.problem, ended) == (True, "429", None)


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
    assert hook_state(hooks, "/hooks/acme/token") == state
