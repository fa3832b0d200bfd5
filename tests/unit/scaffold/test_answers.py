"""The answers to `relay init`: what makes sense, and what is told of what does not."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.scaffold.answers import check_account, check_folder, check_language, check_sinks, check_url


@pytest.mark.parametrize(
    ("check", "text", "answer"),
    [
        (check_account, "acme", "acme"),
        (check_account, " ACME.amocrm.ru ", "acme"),
        (check_account, "https://acme-shop.kommo.com/", "acme-shop"),
        (check_url, "https://relay.example.com/", "https://relay.example.com"),
        (check_url, "http://203.0.113.7:8000", "http://203.0.113.7:8000"),
        (check_sinks, "smsc, HTTP,smsc", ["smsc", "http"]),
        (check_language, "RU", "ru"),
        (check_folder, "/srv/relay", Path("/srv/relay")),
    ],
)
def test_what_makes_sense_is_taken(check: Callable[[str], object], text: str, answer: object) -> None:
    assert check(text) == answer


@pytest.mark.parametrize(
    ("check", "text", "message"),
    [
        (check_account, "", "write acme for https://acme.amocrm.ru"),
        (check_account, "a b", "write acme for"),
        (check_account, "acme.example.com", "write acme for"),
        (check_account, "-acme", "write acme for"),
        (check_url, "relay.example.com", "write what amoCRM is to call, such as https://relay.example.com"),
        (check_url, "https://relay.example.com:port", "is no address"),
        (check_url, "ftp://relay.example.com", "is no address"),
        (check_url, "https://user:secret@relay.example.com", "has more in it"),
        (check_url, "https://relay.example.com/${A}", "has more in it"),
        (check_sinks, "htpp", "did you mean http?"),
        (check_sinks, " , ", "no sink is named: write some of log, http"),
        (check_language, "de", "write en or ru"),
        (check_folder, "/srv/my relay", "a systemd unit cannot name"),
    ],
)
def test_what_makes_none_says_what_would_be_right(check: Callable[[str], object], text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check(text)
