"""API users against the rest of the file: each is bound to a source, and told from the others by login and token."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from relay.config.findings import YamlPath, did_you_mean
from relay.config.reading import Reading
from relay.config.schema import ApiUserSettings, SourceSettings
from relay.config.sections import Sections
from relay.model import Account


@dataclass(frozen=True)
class ApiUser:
    """Who may subscribe through the amoCRM-compatible API, to the events of one source."""

    login: str
    hash: SecretStr
    token: SecretStr
    source: str
    account: Account
    timezone: str


def build_api_users(sections: Sections, reading: Reading) -> tuple[ApiUser, ...]:
    """Return the API users. What is wrong is noted; then what is returned is of no use."""
    users = sections.api_users
    for at, user in users.items():
        if user.source not in sections.source_names:
            meant = did_you_mean(user.source, sections.source_names)
            reading.error(("api_users", at, "source"), f"unknown source {user.source}, {meant}")
    _note_repeated("login", {at: user.login for at, user in users.items()}, reading)
    _note_repeated("token", {at: user.token.get_secret_value() for at, user in users.items()}, reading)
    return tuple(
        _user(user, sections.sources[user.source]) for user in users.values() if user.source in sections.sources
    )


def _user(keys: ApiUserSettings, source: SourceSettings) -> ApiUser:
    account = Account(id=source.account.id, subdomain=source.account.subdomain)
    return ApiUser(keys.login, keys.hash, keys.token, keys.source, account, source.timezone)


def _note_repeated(key: str, values: Mapping[int, str], reading: Reading) -> None:
    first: dict[str, YamlPath] = {}
    for at, value in values.items():
        path: YamlPath = ("api_users", at, key)
        if value and value in first:
            line, column = reading.document.mark(first[value])
            reading.error(path, f"this {key} is here twice, first at {line}:{column}: give each user its own")
        first.setdefault(value, path)
