"""A source's `api`: credentials, address and limit, and the message of each mistake."""

from collections.abc import Callable

import pytest

from relay.config.api import OAuthSettings
from relay.config.config import Config
from relay.model import Limit

Errors = Callable[..., list[str]]
Load = Callable[..., Config]

OAUTH = "{client_id: a, client_secret: long-enough, redirect_uri: https://relay.example/, refresh_token: long-enough}"


def source(api: str, account: str = "{subdomain: acme}") -> str:
    return f"sources:\n  acme: {{type: amocrm, token: long-enough, account: {account}, api: {api}}}\n"


def test_a_token_is_enough_where_the_subdomain_is_known(load_text: Load) -> None:
    api = load_text(source("{token: long-enough}")).sources["acme"].api
    assert api
    assert api.url == "https://acme.amocrm.ru"
    assert api.limit == Limit(key="account:acme", count=7, per_ms=1000)
    assert not isinstance(api.credentials, OAuthSettings)
    assert api.credentials.get_secret_value() == "long-enough"


def test_address_and_rate_may_be_said(load_text: Load) -> None:
    api = load_text(source("{token: long-enough, url: https://acme.kommo.com/, rate: 15/s}", "{}")).sources["acme"].api
    assert api
    assert (api.url, api.limit.count) == ("https://acme.kommo.com", 15)


def test_no_api_is_none(load_text: Load) -> None:
    assert load_text("sources: {acme: {type: amocrm, token: long-enough}}").sources["acme"].api is None


def test_oauth_without_a_key_is_a_warning(load_text: Load) -> None:
    def findings(**environ: str) -> list[str]:
        return [finding.message for finding in load_text(source(f"{{oauth: {OAUTH}}}"), **environ).findings]

    assert findings(RELAY_SECRET_KEY="k") == []
    assert findings() == [
        "oauth needs RELAY_SECRET_KEY: the tokens that amoCRM gives are kept in the store, encrypted with it"
    ]


NO_ADDRESS = "api has no address: write account: {subdomain: acme}, or within api url: https://acme.amocrm.ru"


@pytest.mark.parametrize(
    ("api", "finding"),
    [
        ("{}", "needs one of token: (a long-lived token) and oauth: {client_id, client_secret, …}"),
        (f"{{token: long-enough, oauth: {OAUTH}}}", "needs one of token: (a long-lived token) and oauth: …"),
        ("{tokn: long-enough}", "unknown key tokn, did you mean token?"),
        ('{token: "two words"}', "must be one line of printable ASCII characters, without spaces"),
        ("{oauth: {client_id: a}}", "client_secret is missing"),
    ],
)
def test_a_mistake_in_it(errors_in: Errors, api: str, finding: str) -> None:
    assert finding.removesuffix("…") in errors_in(source(api))[0]


@pytest.mark.parametrize(
    ("url", "finding"),
    [
        ("acme.amocrm.ru", "'acme.amocrm.ru' is not an address: write it in full, such as https://acme.amocrm.ru"),
        ("http://acme.amocrm.ru", "the token would be sent unencrypted: write https://acme.amocrm.ru"),
        ("https://acme.amocrm.ru/?a=b", "only scheme, host and path belong here, such as https://acme.amocrm.ru"),
        ("https://me@acme.amocrm.ru", "only scheme, host and path belong here, such as https://acme.amocrm.ru"),
        ("https://[acme", "is not an address"),
    ],
)
def test_a_mistake_in_its_address(errors_in: Errors, url: str, finding: str) -> None:
    assert finding in errors_in(source(f'{{token: long-enough, url: "{url}"}}'))[0]


@pytest.mark.parametrize("subdomain", ["", "evil.example/", "acme@evil.example"])
def test_an_address_follows_from_nothing_but_a_subdomain(errors_in: Errors, subdomain: str) -> None:
    assert errors_in(source("{token: long-enough}", f'{{subdomain: "{subdomain}"}}')) == [f"2:9: acme: {NO_ADDRESS}"]


def test_no_secret_is_shown(load_text: Load) -> None:
    config = load_text(source(f"{{oauth: {OAUTH.replace('long-enough', 'hush-hush-hush')}}}"), RELAY_SECRET_KEY="k")
    assert "hush" not in repr(config)
