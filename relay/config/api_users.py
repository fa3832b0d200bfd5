"""Check API users against the rest of the file: each has a source, and a login and token of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.config.report import Report
from relay.config.schema import ApiUserSettings, SourceSettings
from relay.config.sections import Sections
from relay.config.suggestions import did_you_mean
from relay.model import Account
from relay.secret import SecretStr


@dataclass(frozen=True)
class ApiUser:
    """Who may subscribe through the amoCRM-compatible API, to the events of one source."""

    login: str
    hash: SecretStr
    token: SecretStr
    source: str
    account: Account
    timezone: str


def build_api_users(sections: Sections, report: Report) -> tuple[ApiUser, ...]:
    """Return the API users. Where errors are reported, what is returned must not be used."""
    users = sections.api_users
    for at, user in users.items():
        if user.source not in sections.source_names:
            suggestion = did_you_mean(user.source, sections.source_names)
            report.error(("api_users", at, "source"), f"unknown source {user.source}, {suggestion}")
    _check_repeated("login", {at: user.login for at, user in users.items()}, report)
    _check_repeated("token", {at: user.token.get_secret_value() for at, user in users.items()}, report)
    return tuple(
        _api_user(user, sections.sources[user.source]) for user in users.values() if user.source in sections.sources
    )


def _api_user(settings: ApiUserSettings, source: SourceSettings) -> ApiUser:
    account = Account(id=source.account.id, subdomain=source.account.subdomain)
    return ApiUser(settings.login, settings.hash, settings.token, settings.source, account, source.timezone)


def _check_repeated(key: str, values: Mapping[int, str], report: Report) -> None:
    for path, first in report.repeated({("api_users", at, key): value for at, value in values.items()}):
        report.error(path, f"this {key} is here twice, first at {first}: give each user its own")
