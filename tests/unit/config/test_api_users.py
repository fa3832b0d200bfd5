"""API users: each is bound to a source that is there, and none can be taken for another."""

from collections.abc import Callable

import pytest

from relay.config.config import Config

HEAD = "sources: {acme: {type: amocrm, token: long-enough}}\napi_users:\n"
CRM = "  - {login: crm@example.com, hash: a-long-hash, token: a-long-token, source: acme}\n"


def test_a_user_has_a_login_two_secrets_and_a_source(load_text: Callable[..., Config]) -> None:
    config = load_text(HEAD + CRM)
    (user,) = config.api_users
    assert (user.login, user.source) == ("crm@example.com", "acme")
    assert (user.hash.get_secret_value(), user.token.get_secret_value()) == ("a-long-hash", "a-long-token")
    assert "a-long" not in repr(config)


@pytest.mark.parametrize(
    ("users", "findings"),
    [
        ("  - {login: a, hash: long-enough, token: long-too, source: acmee}",
         ["3:60: unknown source acmee, did you mean acme?"]),
        ("  - {login: a, hash: long-enough, source: acme}", ["3:5: token is missing"]),
        ("  - {login: a, hash: , token: long-too, source: acme}",
         ["3:21: hash: is empty: write a value, or remove the key"]),
        ("  - {login: a, hash: long-enough, token: long-too, source: acme, name: x}",
         ["3:66: unknown key name, known: hash, login, source, token"]),
        (CRM + "  - {login: crm@example.com, hash: b-hash, token: b-long-token, source: acme}",
         ["4:13: this login is here twice, first at 3:13: give each user its own"]),
        (CRM + "  - {login: b, hash: b-long-hash, token: a-long-token, source: acme}",
         ["4:42: this token is here twice, first at 3:56: give each user its own"]),
    ],
)  # fmt: skip
def test_mistakes(errors_in: Callable[..., list[str]], users: str, findings: list[str]) -> None:
    assert errors_in(HEAD + users) == findings


def test_secrets_that_are_easy_to_guess_are_warned_of(load_text: Callable[..., Config]) -> None:
    config = load_text(HEAD + "  - {login: a, hash: short, token: '${T:-default-token}', source: acme}")
    assert [finding.message for finding in config.findings] == [
        "hash is easy to guess: use at least 8 random characters",
        "token is a default that everybody can read: set T",
    ]
