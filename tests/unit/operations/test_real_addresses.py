"""Which addresses a configuration makes the relay call that are no fakes, and how that is said."""

import pytest

from relay.cli.display.addresses import format_real_addresses
from relay.config.load import load
from relay.operations.real_addresses import real_addresses
from relay.sinks.registry import sink_types

SANDBOX = "http://127.0.0.1:8701"
HEAD = """
sources:
  acme: {type: amocrm, token: a-token, account: {subdomain: acme}%s}
sinks:
  books: %s
routes: []
"""


@pytest.mark.parametrize(
    ("sink", "addresses"),
    [
        (f"{{type: http, url: '{SANDBOX}/books'}}", []),
        ("{type: log}", []),
        (
            "{type: http, url: 'https://books.example:8443/a/path?list=secret'}",
            [("books", "https://books.example:8443")],
        ),
        ("{type: unisender, api_key: k, list_ids: [1], double_optin: 3}", [("books", "https://api.unisender.com")]),
        ("{type: smsc, login: a, password: b}", [("books", "https://smsc.ru")]),
        ("{type: email, host: 127.0.0.1, port: 8702, tls: none, sender: a@b.example}", []),
        ("{type: email, host: smtp.example.com, sender: a@b.example}", [("books", "smtp://smtp.example.com:587")]),
        (
            f"{{type: http, url: '{SANDBOX}', auth: {{oauth2: "
            "{token_url: 'https://login.example/token', client_id: a, client_secret: b}}}",
            [("books", "https://login.example")],
        ),
    ],
    ids=[
        *("a fake", "none", "an address with a secret", "a vendor's own", "a gateway's own"),
        *("a fake mail server", "a mail server", "that of its tokens"),
    ],
)
def test_the_addresses_of_a_sink(sink: str, addresses: list[tuple[str, str]]) -> None:
    assert found(HEAD % ("", sink)) == addresses


@pytest.mark.parametrize(
    ("api", "addresses"),
    [
        (", api: {token: t}", [("acme", "https://acme.amocrm.ru")]),
        (f", api: {{token: t, url: '{SANDBOX}/amocrm/acme'}}", []),
    ],
    ids=["the account's own", "a fake"],
)
def test_the_address_of_an_account(api: str, addresses: list[tuple[str, str]]) -> None:
    assert found(HEAD % (api, "{type: log}")) == addresses


def found(text: str) -> list[tuple[str, str]]:
    config = load(text, file="relay.yaml", environ={}, sink_types=sink_types())
    return list(real_addresses(config, {SANDBOX.removeprefix("http://"), "127.0.0.1:8702"}))


@pytest.mark.parametrize(
    ("addresses", "store", "line"),
    [
        ([], None, "no real address is called: the vendors are fakes, the store is this folder's"),
        ([("books", "https://a.example")], None, "REAL addresses: books → https://a.example"),
        (
            [("books", "https://a.example")],
            "redis://user:pass%23word@cache.example:6379/0",
            "REAL addresses: books → https://a.example, store → redis://cache.example:6379",
        ),
    ],
)
def test_it_is_said_in_a_line(addresses: list[tuple[str, str]], store: str | None, line: str) -> None:
    assert format_real_addresses(addresses, store) == line
