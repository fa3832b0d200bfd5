"""The fake account's limits and tokens are as strict as amoCRM's: else the tests against it would prove nothing."""

from relay.sandbox.amocrm import access
from relay.sandbox.amocrm.access import IssuedTokens, RequestLimits


def test_seven_in_any_second_are_admitted() -> None:
    limits = RequestLimits()
    assert [limits.refusal(0.1 * n) for n in range(8)] == [None] * 7 + [429]
    assert limits.refusal(0.99) == 429
    assert limits.refusal(1.0) is None  # the first has left the second
    assert limits.refusal(1.05) == 429


def test_a_client_that_goes_on_is_blocked_for_a_while() -> None:
    limits = RequestLimits(rate=0, block_seconds=60)
    refusals = [limits.refusal(0.1 * n) for n in range(26)]
    assert refusals == [429] * 25 + [403]
    assert limits.refusal(62.0) == 403
    assert limits.refusal(62.4) == 429


def test_a_client_that_is_refused_now_and_then_is_not_blocked() -> None:
    limits = RequestLimits(rate=0)
    assert {limits.refusal(float(second)) for second in range(100)} == {429}


RIGHT = {
    "client_id": access.CLIENT_ID,
    "client_secret": access.CLIENT_SECRET,
    "redirect_uri": access.REDIRECT_URI,
    "grant_type": "refresh_token",
    "refresh_token": access.FIRST_REFRESH,
}


def test_a_refresh_token_works_once() -> None:
    tokens = IssuedTokens()
    assert tokens.exchange({**RIGHT, "client_secret": "wrong"}, 0) is None
    given = tokens.exchange(RIGHT, 0)
    assert given
    assert tokens.exchange(RIGHT, 0) is None
    assert tokens.exchange({**RIGHT, "refresh_token": given["refresh_token"]}, 0)
    assert (tokens.refreshes, tokens.refused) == (2, 2)


def test_an_access_token_ends() -> None:
    tokens = IssuedTokens(lifetime=60)
    given = tokens.exchange(RIGHT, 1000)
    assert given
    bearer = f"Bearer {given['access_token']}"
    assert tokens.known(bearer, 1059)
    assert not tokens.known(bearer, 1060)
    assert not tokens.known(str(given["access_token"]), 1000)
    assert tokens.known(f"Bearer {access.LONG_LIVED}", 9e9)
    tokens.revoke()
    assert not tokens.known(f"Bearer {access.LONG_LIVED}", 0)
