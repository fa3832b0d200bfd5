"""Proxies: their addresses, the setting of sinks and accounts, and which one the environment means."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.config.config import Config
from relay.config.environment import ProcessSettings
from relay.config.proxy import Proxy, parse_proxy
from relay.config.proxy_environment import ProxyRules
from relay.errors import ConfigError

Errors = Callable[..., list[str]]
Load = Callable[..., Config]

OURS = Proxy(scheme="http", host="proxy.example.com", port=3128)
SECRET = "s3c-r3t"


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://proxy.example.com:3128", OURS),
        ("http://proxy.example.com:3128/", OURS),
        ("HTTP://Proxy.Example.COM:3128", OURS),
        ("proxy.example.com:3128", OURS),
        ("http://proxy.example.com", Proxy(scheme="http", host="proxy.example.com", port=80)),
        ("https://proxy.example.com", Proxy(scheme="https", host="proxy.example.com", port=443)),
        ("http://10.1.2.3:8080", Proxy(scheme="http", host="10.1.2.3", port=8080)),
        ("http://[2001:db8::1]:8080", Proxy(scheme="http", host="2001:db8::1", port=8080)),
    ],
)
def test_an_address_is_read_as_people_write_it(text: str, proxy: Proxy) -> None:
    assert parse_proxy(text) == proxy
    assert parse_proxy(str(proxy)) == proxy


@given(st.text(min_size=1).filter(lambda user: ":" not in user), st.text())
def test_any_user_and_password_can_be_written(user: str, password: str) -> None:
    userinfo = f"{quote(user, safe='', errors='replace')}:{quote(password, safe='', errors='replace')}"
    scheme, _, encoded = parse_proxy(f"http://{userinfo}@proxy.example.com:3128").authorization.partition(" ")
    assert scheme == "Basic"
    assert b64decode(encoded).decode() == f"{user}:{password}".encode(errors="replace").decode()


@pytest.mark.parametrize("userinfo", [f"relay:{SECRET}", f"relay:{SECRET}@home", f"relay:{SECRET}/?#:x"])
def test_a_password_may_hold_what_an_address_is_made_of_and_is_in_no_text(userinfo: str) -> None:
    proxy = parse_proxy(f"http://{userinfo}@proxy.example.com:3128")
    assert b64decode(proxy.authorization.removeprefix("Basic ")).decode() == userinfo
    assert str(proxy) == repr(proxy) == "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"socks5://relay:{SECRET}@proxy.example.com:1080", "a proxy of the kind socks5:// is not possible"),
        (f"http://relay:{SECRET}@proxy.example.com:99999", "the proxy's port 99999 is not a number from 1 to 65535"),
        (f"http://relay:{SECRET}@", "this is no proxy's address: http://proxy.example.com:3128, with user:password@"),
        (f"http://relay:{SECRET}@proxy.example.com/path", "this is no proxy's address"),
        (f"http://relay:{SECRET}@proxy example.com", "this is no proxy's address"),
        ("", "this is no proxy's address"),
    ],
)
def test_what_is_no_proxy_is_refused_without_showing_it(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_proxy(text)
    assert SECRET not in str(caught.value)


# The setting.

SINK = """\
sources:
  acme: {{type: amocrm, token: long-enough, account: {{subdomain: acme}}, api: {{token: long-enough, proxy: {api}}}}}
sinks:
  books: {{type: post, url: "https://books.example", proxy: {sink}}}
"""


def test_a_sink_and_an_api_may_name_one(load_text: Load) -> None:
    text = SINK.format(api="http://proxy.example.com:3128", sink="'http://relay:${PASSWORD}@proxy.example.com:3128'")
    config = load_text(text, PASSWORD=SECRET)
    sink, api = config.sinks["books"], config.sources["acme"].api
    assert api
    assert api.proxy == OURS
    assert sink.proxy == parse_proxy(f"http://relay:{SECRET}@proxy.example.com:3128")
    assert SECRET not in repr(config)


def test_false_is_none_and_nothing_said_is_what_the_environment_says(load_text: Load) -> None:
    config = load_text(SINK.format(api="false", sink="false"))
    assert config.sources["acme"].api
    assert config.sources["acme"].api.proxy is config.sinks["books"].proxy is False
    assert load_text(SINK.replace(", proxy: {sink}", "").format(api="false")).sinks["books"].proxy is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (f"socks5://relay:{SECRET}@proxy.example.com", "proxy: a proxy of the kind socks5:// is not possible"),
        (f"'relay:{SECRET}@'", "proxy: this is no proxy's address"),
        ("true", "proxy: write the proxy's address, http://proxy.example.com:3128, or false for none"),
        ("3128", "proxy: write the proxy's address"),
    ],
)
def test_a_mistake_in_it(errors_in: Errors, written: str, message: str) -> None:
    (api,) = errors_in(SINK.format(api=written, sink="false"))
    (sink,) = errors_in(SINK.format(api="false", sink=written))
    assert message in api
    assert message in sink
    assert SECRET not in api + sink


# The environment.


def chosen(environ: Mapping[str, str], scheme: str = "https", host: str = "api.example.com", port: int = 443) -> str:
    proxy = ProxyRules.from_environ(environ).choose(scheme, host, port)
    return proxy.host if proxy else ""


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, "", ""),
        ({"HTTPS_PROXY": "http://one"}, "", "one"),
        ({"HTTP_PROXY": "http://one"}, "one", ""),
        ({"https_proxy": "http://one", "HTTPS_PROXY": "http://two"}, "", "one"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://two"}, "", "two"),
        ({"ALL_PROXY": "http://all"}, "all", "all"),
        ({"all_proxy": "all:1", "HTTPS_PROXY": "http://one"}, "all", "one"),
        ({"HTTPS_PROXY": "http://one", "NO_PROXY": "*"}, "", ""),
        ({"HTTPS_PROXY": "socks5://one", "NO_PROXY": "*"}, "", ""),
    ],
)
def test_the_environment_names_them_by_the_scheme_of_what_is_called(
    environ: Mapping[str, str], http: str, https: str
) -> None:
    assert (chosen(environ, "http", port=80), chosen(environ)) == (http, https)


@pytest.mark.parametrize(
    ("exceptions", "host", "port", "direct"),
    [
        ("example.com", "example.com", 443, True),
        ("example.com", "api.example.com", 443, True),
        ("example.com", "API.Example.COM.", 443, True),
        ("example.com", "badexample.com", 443, False),
        (".example.com", "api.example.com", 443, True),
        ("*.example.com", "api.example.com", 443, True),
        ("api.example.com", "example.com", 443, False),
        ("one.example, example.com,two.example", "example.com", 443, True),
        ("one.example example.com", "example.com", 443, True),
        ("example.com:443", "example.com", 443, True),
        ("example.com:443", "example.com", 8443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.0.0/16", "10.1.2.3", 443, True),
        ("10.1.0.0/16", "10.2.2.3", 443, False),
        ("10.1.2.3:8080", "10.1.2.3", 8080, True),
        ("10.1.2.3:8080", "10.1.2.3", 443, False),
        ("2.3", "10.1.2.3", 443, False),
        ("2001:db8::1", "2001:db8::1", 443, True),
        ("[2001:db8::1]", "2001:db8::1", 443, True),
        ("[2001:db8::1]:443", "2001:db8::1", 443, True),
        ("2001:db8::/32", "2001:db8::1", 443, True),
        ("<local>,", "example.com", 443, False),
        ("", "example.com", 443, False),
        (".", "example.com", 443, False),
    ],
)
def test_no_proxy_has_names_addresses_and_networks(exceptions: str, host: str, port: int, direct: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        assert chosen({"HTTPS_PROXY": "http://one", name: exceptions}, host=host, port=port) == (
            "" if direct else "one"
        )


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HTTPS_PROXY", f"socks5://relay:{SECRET}@proxy"), ("all_proxy", f"relay:{SECRET}@"), ("http_proxy", "http://")],
)
def test_one_that_cannot_be_used_stops_the_process_with_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ProcessSettings.from_environ({variable: value}, terminal=False)
    assert str(caught.value).startswith(f"{variable}: ")
    assert SECRET not in str(caught.value)


def test_all_proxy_is_not_looked_at_where_the_others_say_all() -> None:
    environ = {"ALL_PROXY": "socks5://proxy", "HTTPS_PROXY": "http://one", "HTTP_PROXY": "http://one"}
    assert ProcessSettings.from_environ(environ, terminal=False).proxies.choose("https", "x.example", 443)


def test_credentials_are_in_no_repr() -> None:
    found = ProcessSettings.from_environ({"HTTPS_PROXY": f"http://relay:{SECRET}@proxy"}, terminal=False)
    assert SECRET not in repr(found)
