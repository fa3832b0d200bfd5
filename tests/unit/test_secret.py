"""Texts that must not be shown, and what configuration makes of them."""

import json
from typing import Annotated

import pydantic
import pytest
from pydantic import Field, ValidationError

from relay.config.section import Section
from relay.config.validation import find_secrets
from relay.secret import SecretStr


class Account(Section):
    token: Annotated[SecretStr, Field(min_length=1)]
    password: pydantic.SecretStr | None = None  # as a sink of another package may have it


def test_nothing_shows_it_but_the_call_that_asks_for_it() -> None:
    account = Account(token=SecretStr("abc"))
    shown = [repr(account), str(account.token), f"{account.token}", account.model_dump_json(), repr({account.token})]
    assert [text for text in shown if "abc" in text] == []
    assert account.token.get_secret_value() == "abc"
    assert json.loads(account.model_dump_json())["token"] == "**********"


def test_it_is_read_from_a_text() -> None:
    assert Account.model_validate({"token": "abc"}).token == SecretStr("abc")
    assert len({SecretStr("abc"), SecretStr("abc"), SecretStr("d")}) == 2


@pytest.mark.parametrize(("value", "error"), [("", "too_short"), (5, "string_type"), (None, "string_type")])
def test_what_is_no_text_is_refused(value: object, error: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Account.model_validate({"token": value})
    assert [found["type"] for found in raised.value.errors()] == [error]


def test_editors_know_it_for_a_password() -> None:
    schema = Account.model_json_schema()["properties"]["token"]
    assert schema.items() >= {"type": "string", "format": "password", "writeOnly": True, "minLength": 1}.items()


def test_those_of_pydantic_are_masked_too() -> None:
    account = Account.model_validate({"token": "abc", "password": "def"})
    assert list(find_secrets(account)) == [(("token",), SecretStr("abc")), (("password",), SecretStr("def"))]
