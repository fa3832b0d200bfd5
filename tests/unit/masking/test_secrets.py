"""Secrets are masked where they stand, known values everywhere, and words of ours are left whole."""

import json
import re
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.masking import is_secret_header, is_unmistakable, mask_credentials, mask_query, mask_secrets, mask_userinfo


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        # the tokens of hooks
        ("POST /hooks/acme/s3cr3t HTTP/1.1", "POST /hooks/acme/*** HTTP/1.1"),
        ("https://relay.example/hooks/acme/s3.c~r-3t: remove it", "https://relay.example/hooks/acme/***: remove it"),
        ("https://relay.example/hooks/acme/s3cr3t?a=1", "https://relay.example/hooks/acme/***?a=1"),
        (r'{"url":"https:\/\/x.example\/hooks\/acme\/s3cr3t"}', r'{"url":"https:\/\/x.example\/hooks\/acme\/***"}'),
        ("url=https%3A%2F%2Fx.example%2Fhooks%2Facme%2Fs3cr3t", "url=https%3A%2F%2Fx.example%2Fhooks%2Facme%2F***"),
        # passwords in addresses
        ("redis://:s3cr3t@store:6379/0", "redis://:***@store:6379/0"),
        ("amqp://relay:s3c@r3t@broker//", "amqp://relay:***@broker//"),
        ("redis://relay:s3c/r?3#t@store/0", "redis://relay:***@store/0"),
        ("cannot reach https://s3cr3t@api.example.com/v4", "cannot reach https://***@api.example.com/v4"),
        ("cannot reach https://relay:s3cr3t@api.example.com/v4", "cannot reach https://relay:***@api.example.com/v4"),
        # queries and forms
        ("GET /list?USER_LOGIN=anna&USER_HASH=s3cr3t HTTP/1.1", "GET /list?USER_LOGIN=anna&USER_HASH=*** HTTP/1.1"),
        ("api_key=s3cr3t&format=json", "api_key=***&format=json"),
        ("apikey=s3cr3t", "apikey=***"),
        ("login=shop&psw=s3cr3t", "login=shop&psw=***"),
        ("password=s3cr3t", "password=***"),
        ("access_token=s3cr3t&refresh_token=s3cr3t", "access_token=***&refresh_token=***"),
        ("client_secret=s3cr3t", "client_secret=***"),
        ("https://x.example/?key=s3cr3t&n=1", "https://x.example/?key=***&n=1"),
        ("https://x.example/?n=1&sig=s3cr3t", "https://x.example/?n=1&sig=***"),
        ("url=https%3A%2F%2Fx.example%2F%3Ftoken%3Ds3cr3t", "url=https%3A%2F%2Fx.example%2F%3Ftoken%3D***"),
        ("Cookie: session_id=s3cr3t", "Cookie: session_id=***"),
        # JSON, and what Python makes of it
        ('{"api_key": "s3c r3t", "n": 1}', '{"api_key": "***", "n": 1}'),
        ("{'access_token': 's3cr3t', 'n': 1}", "{'access_token': '***', 'n': 1}"),
        (r'"{\"token\":\"s3cr3t\"}"', r'"{\"token\":\"***\"}"'),
        # bots
        ("https://api.telegram.org/bot12345:AA-s3cr3t/sendMessage", "https://api.telegram.org/bot12345:***/sendMessage"),
        (r'"https:\/\/bots.example.com\/bot12345:AA-s3cr3t\/get"', r'"https:\/\/bots.example.com\/bot12345:***\/get"'),
        ("https://bots.example.com/bots3cr3t-t0ken-s3cr3t/sendMessage", "https://bots.example.com/bot***/sendMessage"),
        # the addresses of incoming webhooks
        ("https://hooks.slack.com/services/T0AB/B0CD/s3cr3ts3cr3t", "https://hooks.slack.com/services/T0AB/B0CD/***"),
        ("https://discord.com/api/webhooks/1234/s3cr3t-s3cr3t", "https://discord.com/api/webhooks/1234/***"),
        ("https://acme.bitrix24.ru/rest/1/s3cr3ts3cr3t/crm.lead.add", "https://acme.bitrix24.ru/rest/1/***/crm.lead.add"),
        # other names in queries
        ("https://x.example/send?apiKey=s3cr3t&to=7", "https://x.example/send?apiKey=***&to=7"),
        ("https://x.example/send?login=shop&pass=s3cr3t", "https://x.example/send?login=shop&pass=***"),
        ("https://x.example/send?api_id=s3cr3t&json=1", "https://x.example/send?api_id=***&json=1"),
        ("https://x.example/?access_key=s3cr3t", "https://x.example/?access_key=***"),
        ("https://x.example/?X-Amz-Signature=s3cr3t", "https://x.example/?X-Amz-Signature=***"),
        ("https://x.example/?a=1&auth=s3cr3t", "https://x.example/?a=1&auth=***"),
        # headers
        ("Proxy-Authorization: Basic dXNlcjpwYXNz", "Proxy-Authorization: Basic ***"),
        ("Authorization: Bearer s3cr3t-s3cr3t", "Authorization: Bearer ***"),
        ("{'authorization': 'Basic dXNlcjpwYXNz'}", "{'authorization': 'Basic ***'}"),
        ("X-Api-Key: s3cr3t-s3cr3t", "X-Api-Key: ***"),
        ("they saw Bearer eyJhbGciOi.s3cr3t", "they saw Bearer ***"),
    ],
)  # fmt: skip
def test_what_stands_where_secrets_stand_is_masked(text: str, masked: str) -> None:
    assert mask_secrets(text) == masked
    assert mask_secrets(masked) == masked


ORDINARY = [
    "the token endpoint answered no token: check token_url, client_id, client_secret, scope",
    "wrong login, hash or token",
    "a name or password in the address ends up in logs: write it under auth: {basic: …}",
    "401: they do not know us: check the sink's auth",
    "the api_key is not valid: take it anew from the account's settings",
    "no credentials: give USER_LOGIN and USER_HASH, the auth.php session, or a Bearer token",
    "Basic authentication is not possible here",
    "redis://store:6379/0 does not answer",
    "http://127.0.0.1:8080?to=anna@example.com",
    "sorted(names, key=len)",
    "GET /api/v4/leads?limit=250&page=2",
    "sources.acme.token is missing, did you mean tokens?",
    "receipt 01a208cd-b8af-70eb-8554-7952e29f4dba from acme",
    "https://x.example/hooks",
    "https://x.example/bottom-line-of-2024?passenger=anna&author=7&country_code=RU&keyword=a&monkeys=2",
    "https://x.example/api/webhooks/12?page=2",
    "https://x.example/services/list, /rest/api/2/issue",
    "",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_what_we_say_about_secrets_is_left(text: str) -> None:
    assert mask_secrets(text) == text


@pytest.mark.parametrize(
    ("secret", "text", "masked"),
    [
        ("s3cr3t-s3cr3t", "saw s3cr3t-s3cr3t", "saw ***"),
        ("s3cr3t-s3cr3t", "saws3cr3t-s3cr3ts", "saw***s"),
        ("s3cr/t s3cr?t", "path=s3cr%2Ft%20s3cr%3Ft", "path=***"),
        ("s3cr/t s3cr?t", "path=s3cr%2Ft+s3cr%3Ft", "path=***"),
        ('пароль"пароль', r'{"seen":"пароль\"пароль"}', '{"seen":"***"}'),
        ("пароль-пароль", json.dumps({"seen": "пароль-пароль"}), '{"seen": "***"}'),
        # four to seven characters: as a whole word
        ("sesame", "open sesame!", "open ***!"),
        ("sesame", "'sesame' is unknown, did you mean sesames?", "'***' is unknown, did you mean sesames?"),
        ("mean", "did you meaning it", "did you meaning it"),
        ("sesame", r'{"said":"open\nsesame"}', r'{"said":"open\n***"}'),
        ("sesame", "q=open%20sesame", "q=open%20***"),
        # one that looks like a word: as a whole one too, however long it is
        ("password", "the password of passwords_2 is password1", "the *** of passwords_2 is ***1"),
        ("accounting", "accounting.yaml, reaccounting", "***.yaml, reaccounting"),
        ("Accounting", r'{"said":"\tAccounting"}', r'{"said":"\t***"}'),
        ("бухгалтерия", "бухгалтерия, главбухгалтерия, %D0%BA%20бухгалтерия", "***, главбухгалтерия, %D0%BA%20***"),
        ("pAssworDs", "mypAssworDsare", "my***are"),
        ("abcdefghijklmnopqrstu", "xabcdefghijklmnopqrstuv", "x***v"),
        # fewer: in quotes
        ("e", "did you mean 'e'? write me: e", "did you mean '***'? write me: e"),
        ("me", '{"login":"me"}: did you mean it', '{"login":"***"}: did you mean it'),
        ("1", '{"status":1,"code":"1"}', '{"status":1,"code":"***"}'),
        ("", "nothing is configured", "nothing is configured"),
    ],
)
def test_a_known_secret_is_masked_and_no_word_that_holds_it(secret: str, text: str, masked: str) -> None:
    assert mask_secrets(text, (secret,)) == masked


def test_of_two_known_secrets_the_longer_is_masked_whole() -> None:
    assert mask_secrets("saw Bearer-s3cr3t-s3cr3t", ("s3cr3t-s3cr3t", "Bearer-s3cr3t-s3cr3t")) == "saw ***"


LONG = st.text(min_size=8, max_size=60).filter(lambda text: not text.isalpha())


@given(st.text(), LONG, st.text(), LONG, st.text())
def test_no_known_secret_of_eight_characters_survives(start: str, one: str, middle: str, other: str, end: str) -> None:
    masked = mask_secrets(f"{start}{one}{middle}{other}{one}{end}", (one, other))
    assert one not in masked
    assert other not in masked


@given(st.text(st.characters(codec="utf-8"), min_size=8, max_size=60))
def test_nor_as_json_or_a_query_writes_it(secret: str) -> None:
    for written in (json.dumps(secret)[1:-1], quote(secret, safe=""), urlencode({"": secret})[1:]):
        assert written not in mask_secrets(f"they say: <{written}>", (secret,))


@given(st.sampled_from(ORDINARY), st.text())
def test_a_text_without_the_secret_is_left(text: str, secret: str) -> None:
    if secret not in text:
        assert mask_secrets(text, (secret,)) == text


@given(
    st.sampled_from(ORDINARY),
    st.text(st.characters(categories=("L", "N")), max_size=7)
    | st.sampled_from(
        [word[at:] for text in ORDINARY for word in re.findall("[a-z]+", text) for at in range(len(word))]
    ),
)
def test_a_short_secret_or_an_ordinary_word_breaks_no_word(text: str, secret: str) -> None:
    words = set(re.findall(r"[\w*]+", mask_secrets(text, (secret,))))
    assert words - set(re.findall(r"\w+", text)) <= {"***"}


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("Bearer s3cr3t", "Bearer ***"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("s3cr3t", "***"),
        ("s3cr3t of two words", "***"),
        ("session_id=s3cr3t", "***"),
    ],
)
def test_of_credentials_the_scheme_is_left(value: str, masked: str) -> None:
    assert mask_credentials(value) == masked


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://crm.example.com/hooks?s=s3cr3t&n=1", "https://crm.example.com/hooks?***"),
        ("https://crm.example.com/hooks", "https://crm.example.com/hooks"),
    ],
)
def test_of_a_query_nothing_is_left(url: str, masked: str) -> None:
    assert mask_query(url) == masked


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Authorization", True),
        ("X-Api-Key", True),
        ("Cookie", True),
        ("X-Access-Token", True),
        ("Ocp-Apim-Subscription-Key", True),
        ("Key", True),
        ("X_Key", True),
        ("X-Monkey", False),
        ("Keyboard", False),
        ("Content-Type", False),
        ("X-Shop", False),
    ],
)
def test_headers_that_hold_secrets_are_known_by_their_names(header: str, secret: bool) -> None:
    assert is_secret_header(header) is secret


@pytest.mark.parametrize("secret", ["wrong", "Password", "e", "", "доступ"])
def test_a_word_of_our_own_sentences_is_mistakable(secret: str) -> None:
    assert not is_unmistakable(secret)


@pytest.mark.parametrize("secret", ["s3cr3t", "pAssWord", "two words", "a" * 21])
def test_a_key_is_not(secret: str) -> None:
    assert is_unmistakable(secret)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("relay:s3cr3t@store", "***@store"),
        ("//relay:s3cr3t@store/0", "//***@store/0"),
        ("htps://relay:s3/c@r3t@store", "htps://***@store"),
        ("http:relay:s3cr3t@store", "***@store"),
        ("store:6379/0", "store:6379/0"),
    ],
)
def test_nobody_is_named_before_the_host_of_an_address(address: str, masked: str) -> None:
    assert mask_userinfo(address) == masked


@pytest.mark.parametrize("text", ["https://host:8000/a@b", "http://[::1]:8000/a@b", "https://host/a?x=v@b.c"])
def test_a_port_and_a_path_are_no_password(text: str) -> None:
    assert mask_secrets(text) == text
