"""Mint a token in the form of a JWT for a user of `api_users`: by command, page or API."""

from collections.abc import Iterable
from typing import Final

from relay.config.api_users import ApiUser
from relay.config.suggestions import did_you_mean
from relay.durations import UNITS_MS, parse_duration
from relay.errors import ConfigError
from relay.model import Record
from relay.web.subscriptions.jwt import mint_jwt

MAX_TOKEN_DAYS: Final = 1826  # five years, as amoCRM's own long-lived tokens
DEFAULT_LIFETIME: Final = "365d"


class MintedToken(Record):
    """A token, whose it is, for which account, and when it ends (epoch milliseconds)."""

    token: str
    login: str
    source: str
    until: int


def parse_lifetime(text: str) -> int:
    """Return the seconds for which a token is good. Raises ValueError."""
    ms = parse_duration(text)
    if not UNITS_MS["d"] <= ms <= MAX_TOKEN_DAYS * UNITS_MS["d"]:
        raise ValueError(f"{text}: possible is 1d to {MAX_TOKEN_DAYS}d")
    return ms // 1000


def mint_token(users: Iterable[ApiUser], login: str, seconds: int, now: int) -> MintedToken:
    """Return a token that is as good as a user's own. `now` is a Unix time. Raises ConfigError where it cannot be."""
    user = _find_api_user(users, login)
    return MintedToken(
        token=mint_jwt(user, now, seconds), login=login, source=user.source, until=(now + seconds) * 1000
    )


def _find_api_user(users: Iterable[ApiUser], login: str) -> ApiUser:
    found = {user.login: user for user in users}
    if login not in found:
        raise ConfigError(f"api_users: no login {login}, {did_you_mean(login, found)}")
    if not found[login].token.get_secret_value():
        raise ConfigError(f"api_users: {login} has no token, and a JWT is signed with it: give it one")
    return found[login]
