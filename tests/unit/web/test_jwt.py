"""A token in the form of a JWT: as client libraries read it, and as nobody else can make it."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from relay.config.api_users import ApiUser
from relay.model import Account
from relay.secret import SecretStr
from relay.web.subscriptions.account import user_number
from relay.web.subscriptions.jwt import has_expired, mint_jwt, sign, split_jwt

NOW, DAY = 1_795_445_429, 86_400


def user(token: str = "crm-secret-token", login: str = "crm@example.com") -> ApiUser:
    return ApiUser(login, SecretStr("hash"), SecretStr(token), "acme", Account(id="7039099", subdomain="acme"), "UTC")


def read_part(text: str) -> dict[str, object]:
    assert "=" not in text
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_client_libraries_read_from_it_what_they_need():
    """PHP's lcobucci/jwt and PyJWT want a header, numeric times and a text as subject; amoCRM's client wants `exp`."""
    header, claims, _ = mint_jwt(user(), NOW, DAY).split(".")
    assert read_part(header) == {"typ": "JWT", "alg": "HS256"}
    read = read_part(claims)
    assert read.pop("jti")
    assert read == {
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + DAY,
        "sub": str(user_number("crm@example.com")),
        "account_id": 7039099,
    }


def test_no_two_are_the_same_and_none_shows_a_secret():
    first, second = mint_jwt(user(), NOW, DAY), mint_jwt(user(), NOW, DAY)
    assert first != second
    readable = "".join(str(read_part(part)) for part in first.split(".")[:2])
    assert "crm" not in readable


@given(st.text(min_size=1), st.integers(0, 2**40), st.integers(1, 2**32))
def test_its_signature_is_right_until_it_ends(token, now, seconds):
    signed, signature = split_jwt(mint_jwt(user(token), now, seconds))
    assert signature == sign(signed, user(token))
    assert not has_expired(signed, now + seconds - 1)
    assert has_expired(signed, now + seconds)


@given(st.data())
def test_a_changed_character_makes_its_signature_wrong(data):
    token = mint_jwt(user(), NOW, DAY)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != token[at]))
    signed, signature = split_jwt(f"{token[:at]}{other}{token[at + 1 :]}")
    assert not signed or signature != sign(signed, user())


def test_another_token_signs_otherwise_and_no_token_not_at_all():
    signed, signature = split_jwt(mint_jwt(user(), NOW, DAY))
    assert sign(signed, user("crm-secret-token2")) != signature
    assert sign(signed, user("")) == ""


@given(st.text())
def test_what_is_no_jwt_is_split_into_nothing_or_has_expired(text):
    signed, signature = split_jwt(text)
    assert (signed, signature) == ("", "") or text == f"{signed}.{signature}"
    assert has_expired(signed, 0)


def test_numbers_of_users_are_from_1_to_2_to_the_31():
    assert user_number("") == 0
    numbers = {user_number(f"user{n}@example.com") for n in range(5_000)}
    assert len(numbers) > 4_990
    assert min(numbers) > 0
    assert max(numbers) < 2**31
